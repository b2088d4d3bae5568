"""The lines of a study's figure: each series with its places, and those of a series that all others share.

figure_lines(records, "any")            # {"value": {"0": record of any at 0, "70": ..., "340": record of any at 340}, ...}
figure_rows(figure_lines(records))      # of figure.csv: series, x, accuracy, low_95, high_95
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from stages.core.command import StageError
from stages.studies.summary import Place, is_number

COLUMNS = ("accuracy", "low_95", "high_95")
Shown = TypeVar("Shown")


def figure_lines(places: Mapping[Place, Shown], shared: str = "") -> dict[str, dict[str, Shown]]:
    """By series and x: x by their numbers if all are numbers, else as they come. Every series has the places of `shared`, too.

    Raises:
        StageError: no place is of the shared series.
    """
    names = list(dict.fromkeys(series for series, _ in places))
    if shared and shared not in names:
        raise StageError(
            f"shared {shared}: no point is of this series; there are {', '.join(names)}. Correct it in the study's params.yaml."
        )
    lines = {}
    for name in [name for name in names if name != shared] or names:
        line = {x: shown for of in (shared, name) for (series, x), shown in places.items() if series == of}
        lines[name] = dict(sorted(line.items(), key=_number)) if all(map(is_number, line)) else line
    return lines


def _number(entry: tuple[str, Any]) -> float:
    return float(entry[0])


def figure_rows(lines: dict[str, dict[str, dict[str, Any]]]) -> Iterator[tuple[object, ...]]:
    """A head, and a row a series and x."""
    yield ("series", "x", *COLUMNS)
    for series, line in lines.items():
        for x, record in line.items():
            yield (series, x, *(record[name] for name in COLUMNS))
