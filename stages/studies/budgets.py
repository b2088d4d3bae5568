"""Whether the points of a study may be compared: those budgets that it says are equal must be.

refuse_unequal(points, equal=["initial_requests"], equal_at_x=["pretrain_tokens"])     # StageError, or nothing
"""

from collections.abc import Iterable

from stages.core.command import StageError
from stages.studies.points import Point

TOLERANCE = 0.01  # what packing, duplicates and refusals may make of equal settings


def refuse_unequal(points: list[Point], equal: Iterable[str], equal_at_x: Iterable[str]) -> None:
    """Refuse a comparison that is none.

    Raises:
        StageError: budgets differ, or a point has no such budget, or points were evaluated on different problems: all of these.
    """
    faults = [fault for name in equal for fault in _unequal(points, name, "all points")]
    for x in dict.fromkeys(point.x for point in points):
        there = [point for point in points if point.x == x]
        faults += [fault for name in equal_at_x for fault in _unequal(there, name, f"the points at {x}")]
    sizes = {_name(point): {task: len(digits) for task, digits in point.correct.items()} for point in points}
    others = [name for name, size in sizes.items() if size != next(iter(sizes.values()))]
    if others:
        faults.append(f"{', '.join(others)}: other problems than {next(iter(sizes))} were evaluated")
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise StageError(
            f"these points cannot be compared:\n{lines}\nMake them equal in the study's dvc.yaml, or, if the study is "
            "about that difference, remove the budget from equal or equal_at_x in its params.yaml."
        )


def _unequal(points: list[Point], name: str, which: str) -> list[str]:
    missing = [_name(point) for point in points if name not in point.budget]
    if missing:
        return [f"{', '.join(missing)}: no budget {name}; there are {', '.join(sorted(points[0].budget))}"]
    least, most = (pick(points, key=lambda point: point.budget[name]) for pick in (min, max))
    low, high = least.budget[name], most.budget[name]
    if high - low <= TOLERANCE * high:
        return []
    return [f"{name} of {which}: {_name(least)} has {low:,g}, {_name(most)} {high:,g}"]


def _name(point: Point) -> str:
    return f"{point.series} at {point.x}, seed {point.seed}"
