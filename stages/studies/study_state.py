"""How far a study has come: the points that it defines, those that are there, and what they say together.

    state = state_of("boost")
    state.missing, state.refusal        # [Path("studies/boost/points/value-3.json")], "these points cannot be compared: ..."
    state.records["llama", "value"]     # stages/studies/summary.py

Always of the points that are there now, whatever was gathered before; and of every study, also one that is defined wrongly.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.studies.budgets import are_of_the_same_problems, refuse_misplaced, refuse_unequal
from stages.studies.definition import STUDIES, figure_of, point_files, question_of, stages_of
from stages.studies.points import Point, load_point
from stages.studies.sections import FigureSettings
from stages.studies.summary import Place, by_place, place_record, records_of

MAX_NAMED = 8


@dataclass(frozen=True)
class StudyState:
    """A study that cannot be read has a fault, and nothing besides."""

    name: str
    fault: str = ""
    question: str = ""
    settings: FigureSettings | None = None
    files: list[Path] = field(default_factory=list)  # of all points that it defines
    missing: list[Path] = field(default_factory=list)
    records: dict[Place, dict[str, Any]] = field(default_factory=dict)
    refusal: str = ""  # why the points are no comparison

    @property
    def title(self) -> str:
        return self.settings.title if self.settings else ""

    @property
    def num_done(self) -> int:
        return len(self.files) - len(self.missing)

    def missing_names(self) -> str:
        """`value-2, value-3`; of many the first, and how many more there are."""
        first, rest = self.missing[:MAX_NAMED], len(self.missing) - MAX_NAMED
        return ", ".join(file.stem for file in first) + (f" and {rest:,} more" if rest > 0 else "")


def state_of(name: str) -> StudyState:
    """The state of a study under studies/, by its name."""
    try:
        settings, question, stages = figure_of(name), question_of(name), stages_of(STUDIES / name)
        files = point_files(STUDIES / name, stages)
        points = {file: load_point(file) for file in files if file.exists()}
    except StageError as error:
        return StudyState(name, fault=str(error))
    missing = [file for file in files if not file.exists()]
    return StudyState(name, "", question, settings, files, missing, *_records(points, stages, settings, not missing))


def _records(
    loaded: dict[Path, Point], stages: list[Any], settings: FigureSettings, is_whole: bool
) -> tuple[dict[Place, dict[str, Any]], str]:
    """What each place came to, and why the points are no comparison. While points are missing, there may be no baseline yet."""
    refusal, points = "", list(loaded.values())
    try:
        refuse_misplaced(loaded, stages)
        refuse_unequal(points, settings)
    except StageError as error:
        refusal = str(error)
    try:
        return (records_of(points, settings.baseline), "") if points and not refusal else (_apart(points), refusal)
    except StageError as error:
        return _apart(points), str(error) if is_whole else ""


def _apart(points: list[Point]) -> dict[Place, dict[str, Any]]:
    """Each place by itself, where its points are of the same problems."""
    places = by_place(points)
    return {place: place_record(there) for place, there in places.items() if are_of_the_same_problems(there)}
