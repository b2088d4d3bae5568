"""Whether the points of a study may be compared: they must be its own, and those budgets that it says are equal must be.

refuse_misplaced(points, stages)        # StageError with the differences, or nothing
refuse_unequal(points, settings)

A budget is named with what it may differ by: `pretrain_tokens=0.05` is 5%, a name alone 1%. Steps may differ by one in any case: by how
examples fill the last rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.studies.definition import made_by
from stages.studies.points import Point
from stages.studies.sections import FigureSettings, parse_budget


def refuse_unequal(points: list[Point], settings: FigureSettings) -> None:
    """Refuse a comparison that is none.

    Raises:
        StageError: budgets differ, or a point has no such budget, or points were evaluated on different problems, or two points
            are the same: all of these.
    """
    faults = [fault for text in settings.equal for fault in _unequal(points, text, "all points")]
    for text in settings.equal_if_any:
        spent = [point for point in points if point.budget.get(parse_budget(text)[0]) != 0]
        faults += _unequal(spent, text, "all points that have any")
    for x in dict.fromkeys(point.x for point in points):
        there = [point for point in points if point.x == x]
        faults += [fault for text in settings.equal_at_x for fault in _unequal(there, text, f"the points at {x}")]
    faults += [*_twice(points), *_other_problems(points), *_other_solutions(points)]
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise StageError(
            f"these points cannot be compared:\n{lines}\nMake them equal in the study's dvc.yaml or params.yaml, or, if the study "
            "is about that difference, remove the budget from equal, equal_if_any or equal_at_x, or let it differ by more: NAME=FRACTION."
        )


def refuse_misplaced(points: dict[Path, Point], stages: list[Any]) -> None:
    """Check that each file of a point holds what its stage in the study's dvc.yaml makes.

    Raises:
        StageError: some are of another series, x or seed, or of other settings.
    """
    if lines := "\n".join(_misplaced(points, stages)):
        raise StageError(f"these points are not those that the study's dvc.yaml makes:\n{lines}\nRun the study again.")


def are_of_the_same_problems(points: list[Point]) -> bool:
    """Whether points can be averaged: the same problems of the same tasks, and as many reference solutions."""
    return not list(_other_problems(points))


def _misplaced(points: dict[Path, Point], stages: list[Any]) -> Iterator[str]:
    made = {Path(out.fs_path).relative_to(Path.cwd()): made_by(stage) for stage in stages for out in stage.outs}
    for path, point in points.items():
        for name, value in (made.get(path) or {}).items():
            if (found := getattr(point, name)) != value:
                yield f"  {path}: {name} is {found!r}, and of its stage in dvc.yaml {value!r}"


def _unequal(points: list[Point], text: str, which: str) -> list[str]:
    name, tolerance = parse_budget(text)
    missing = [point for point in points if name not in point.budget]
    if missing:
        names = ", ".join(map(_name, missing))
        return [f"{names}: no budget {name}; there are {', '.join(sorted(missing[0].budget))}"]
    if not points:
        return []
    least, most = (pick(points, key=lambda point: point.budget[name]) for pick in (min, max))
    low, high = least.budget[name], most.budget[name]
    if high - low <= max(tolerance * high, float(name.endswith("_steps"))):
        return []
    return [
        f"{name} of {which}: {_name(least)} has {low:,g}, {_name(most)} {high:,g}: more than {percent(tolerance)} apart"
    ]


def percent(tolerance: float) -> str:
    """`1%`, `0.5%`."""
    return f"{100 * tolerance:g}%"


def _twice(points: list[Point]) -> Iterator[str]:
    names = [_name(point) for point in points]
    yield from (f"{name} is there {names.count(name)} times" for name in dict.fromkeys(names) if names.count(name) > 1)


def _other_problems(points: list[Point]) -> Iterator[str]:
    evaluated = [
        ({task: len(digits) for task, digits in point.correct.items()}, point.problems, _solutions(point))
        for point in points
    ]
    others = [_name(point) for point, what in zip(points, evaluated, strict=True) if what != evaluated[0]]
    if others:
        yield f"{', '.join(others)}: other problems than {_name(points[0])} were evaluated"


def _solutions(point: Point) -> dict[str, int]:
    """How many solutions of each benchmark have a loss."""
    return {name: len(rows) for name, rows in point.losses.items()}


def _other_solutions(points: list[Point]) -> Iterator[str]:
    """Points of a place whose models cut the solutions into other tokens; two series may."""
    first: dict[tuple[str, str], Point] = {}
    for point in points:
        other = first.setdefault((point.series, point.x), point)
        if _tokens(point) != _tokens(other) and _solutions(point) == _solutions(other):
            yield f"{_name(point)}: the reference solutions have other tokens than with {_name(other)}"


def _tokens(point: Point) -> dict[str, list[int]]:
    return {name: [tokens for _, tokens in rows] for name, rows in point.losses.items()}


def _name(point: Point) -> str:
    return f"{point.series} at {point.x}, seed {point.seed}"
