"""Studies on the terminal: which there are, and the table of one."""

from typing import Any

from rich.console import Console
from rich.table import Table

from stages.core.command import StageError
from stages.core.files import json_in
from stages.core.redaction import printable
from stages.project.yaml_files import load_yaml
from stages.studies.definition import STUDIES, point_files

WIDTH = 120


def list_studies(names: list[str]) -> None:
    """Name, title, and how many of its points are there."""
    table = Table("study", "what it shows", "points", box=None)
    for name in names:
        title = load_yaml(STUDIES / name / "params.yaml")["study"]["figure"]["title"]
        files = point_files(STUDIES / name)
        table.add_row(name, printable(title), f"{sum(file.exists() for file in files)} of {len(files)}")
    Console(width=WIDTH).print(table)


def show_study(name: str) -> None:
    """Each place's accuracy and loss, and its difference to the baseline.

    Raises:
        StageError: the study has not been gathered.
    """
    found = json_in(STUDIES / name / "summary.json")
    if not found:
        raise StageError(f"the study {name} has no result yet. Run it: `ninechapters study {name}`.")
    baseline = found["baseline"].replace("=", " ")
    table = Table(
        "series", "x", "seeds", "accuracy [95%]", "loss", f"minus {baseline}, points [95%]", "p (Holm)", box=None
    )
    for place in found["places"]:
        table.add_row(printable(place["series"]), printable(place["x"]), str(len(place["seeds"])), *_figures(place))
    console = Console(width=WIDTH)
    console.print(printable(found["title"]))
    console.print(table)
    console.print(f"{STUDIES / name / 'figure.svg'}")


def _figures(place: dict[str, Any]) -> list[str]:
    accuracy = f"{place['accuracy']:.1%} [{place['low_95']:.1%}, {place['high_95']:.1%}]"
    loss = f"{place['loss']['nats_per_token']:.3f}" if "loss" in place else ""
    if not (difference := place.get("minus_baseline")):
        return [accuracy, loss, "", ""]
    points = f"{difference['points']:+.1f} [{difference['low_95']:+.1f}, {difference['high_95']:+.1f}]"
    return [accuracy, loss, points, f"{difference['holm_p']:.3f}"]
