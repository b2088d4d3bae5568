"""Studies on the terminal: which there are, and the table of one."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.core.command import StageError
from stages.core.files import json_in
from stages.core.redaction import printable
from stages.studies.definition import STUDIES
from stages.studies.study_state import StudyState
from stages.studies.summary import Place, study_summary

WIDTH = 120


def list_studies(states: Iterable[StudyState]) -> None:
    """Name, title, and how many of its points are there; of one that cannot be read, why."""
    table = Table("study", "what it shows", "points", box=None)
    for state in states:
        done = "" if state.fault else f"{state.num_done} of {len(state.files)}"
        table.add_row(printable(state.name), printable(state.fault or state.title), done)
    _console().print(table)


def show_study(state: StudyState) -> None:
    """The table of the points that are there now, of those that dvc.yaml defines; what is missing, and what makes it no comparison.

    Raises:
        StageError: there is no point yet, or the study cannot be read.
    """
    if state.fault or not state.settings:
        raise StageError(state.fault)
    if not state.num_done:
        raise StageError(f"the study {state.name} has no result yet. Run it: `ninechapters study {state.name}`.")
    print_places(state.records, state.title, state.settings.baseline)
    notes = [f"{state.num_done} of {len(state.files)} points: {state.missing_names()} missing"] if state.missing else []
    notes += [state.refusal] if state.refusal else []
    for line in notes or [_picture(STUDIES / state.name, study_summary(state.records, state.settings))]:
        _console().print(printable(line))


def _picture(study: Path, summary: dict[str, Any]) -> str:
    """Where the picture of these points is; if it is missing, or was drawn of others, what draws it."""
    picture = study / "figure.svg"
    if picture.exists() and json_in(study / "summary.json") == summary:
        return str(picture)
    command = f"dvc repro --single-item --force {study / 'dvc.yaml'}:gather"
    return f"{picture} {'was drawn of other points' if picture.exists() else 'is missing'}. Draw it: `{command}`."


def print_places(records: dict[Place, dict[str, Any]], title: str, baseline: str) -> None:
    """Each place's accuracy and loss, and its difference to the baseline."""
    minus = f"minus {baseline.replace('=', ' ')}, points [95%]"
    table = Table("series", "x", "seeds", "accuracy [95%]", "loss", minus, "p (Holm)", box=None)
    for (series, x), record in records.items():
        table.add_row(printable(series), printable(x), str(len(record["seeds"])), *_figures(record))
    console = _console()
    console.print(printable(title))
    console.print(table)


def _console() -> Console:
    """One that prints names as they are: `[140]` and `:1st:` are no markup."""
    return Console(width=WIDTH, markup=False, emoji=False, highlight=False)


def _figures(place: dict[str, Any]) -> list[str]:
    loss = place.get("loss") or {}
    shown = [with_interval(place, "accuracy", ".1%"), formatted(loss.get("nats_per_token"), ".3f") if loss else ""]
    if not (difference := place.get("minus_baseline")):
        return [*shown, "", ""]
    return [*shown, with_interval(difference, "points", "+.1f"), p_text(difference.get("holm_p"))]


def with_interval(record: dict[str, Any], name: str, form: str) -> str:
    """`31.5% [28.0%, 35.0%]`."""
    number, low, high = (formatted(record.get(key), form) for key in (name, "low_95", "high_95"))
    return f"{number} [{low}, {high}]"


def formatted(number: float | None, form: str) -> str:
    """`–` for what is not known: a loss that is no number, an interval of one problem."""
    return "–" if number is None or not math.isfinite(number) else format(number, form)


def p_text(p: float | None) -> str:
    """`0.042`; a small p-value is not 0."""
    return "< 0.001" if p is not None and p < 0.001 else formatted(p, ".3f")
