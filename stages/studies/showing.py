"""Studies on the terminal: which there are, and the table of one."""

import math
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.core.command import StageError
from stages.core.redaction import printable
from stages.studies.budgets import refuse_unequal
from stages.studies.definition import STUDIES, figure_of, point_files
from stages.studies.points import load_point
from stages.studies.summary import Place, by_place, place_record, records_of

WIDTH = 120
MAX_NAMED = 8


def list_studies(names: list[str]) -> None:
    """Name, title, and how many of its points are there."""
    table = Table("study", "what it shows", "points", box=None)
    for name in names:
        files = point_files(STUDIES / name)
        table.add_row(name, printable(figure_of(name).title), f"{sum(file.exists() for file in files)} of {len(files)}")
    _console().print(table)


def show_study(name: str) -> None:
    """The table of the points that are there now, of those that dvc.yaml defines; what is missing, and what makes it no comparison.

    Raises:
        StageError: there is no point yet.
    """
    files = point_files(STUDIES / name)
    points = [load_point(file) for file in files if file.exists()]
    if not points:
        raise StageError(f"the study {name} has no result yet. Run it: `ninechapters study {name}`.")
    settings = figure_of(name)
    notes = [
        f"{len(points)} of {len(files)} points: {_named(file.stem for file in files if not file.exists())} missing"
    ]
    notes = notes if len(points) < len(files) else []
    try:
        refuse_unequal(points, settings)
        records = records_of(points, settings.baseline)
    except StageError as error:
        notes.append(str(error))
        records = {place: place_record(there) for place, there in by_place(points).items()}
    print_places(records, settings.title, settings.baseline)
    for line in notes or [str(STUDIES / name / "figure.svg")]:
        _console().print(printable(line))


def print_places(records: dict[Place, dict[str, Any]], title: str, baseline: str) -> None:
    """Each place's accuracy and loss, and its difference to the baseline."""
    minus = f"minus {baseline.replace('=', ' ')}, points [95%]"
    table = Table("series", "x", "seeds", "accuracy [95%]", "loss", minus, "p (Holm)", box=None)
    for (series, x), record in records.items():
        table.add_row(printable(series), printable(x), str(len(record["seeds"])), *_figures(record))
    console = _console()
    console.print(printable(title))
    console.print(table)


def _named(names: Iterable[str]) -> str:
    """The first of some names."""
    first, rest = (listed := list(names))[:MAX_NAMED], len(listed) - MAX_NAMED
    return ", ".join(first) + (f" and {rest:,} more" if rest > 0 else "")


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
