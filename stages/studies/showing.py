"""Studies on the terminal: which there are, and the table of one."""

import math
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
    _console().print(table)


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
    console = _console()
    console.print(printable(found["title"]))
    console.print(table)
    console.print(f"{STUDIES / name / 'figure.svg'}")


def _console() -> Console:
    """One that prints names as they are: `[140]` and `:1st:` are no markup."""
    return Console(width=WIDTH, markup=False, emoji=False, highlight=False)


def _figures(place: dict[str, Any]) -> list[str]:
    loss = place.get("loss") or {}
    shown = [_with_interval(place, "accuracy", ".1%"), _formatted(loss.get("nats_per_token"), ".3f") if loss else ""]
    if not (difference := place.get("minus_baseline")):
        return [*shown, "", ""]
    return [*shown, _with_interval(difference, "points", "+.1f"), _formatted(difference.get("holm_p"), ".3f")]


def _with_interval(record: dict[str, Any], name: str, form: str) -> str:
    number, low, high = (_formatted(record.get(key), form) for key in (name, "low_95", "high_95"))
    return f"{number} [{low}, {high}]"


def _formatted(number: float | None, form: str) -> str:
    """`–` for what is not known: a loss that is no number, an interval of one problem."""
    return "–" if number is None or not math.isfinite(number) else format(number, form)
