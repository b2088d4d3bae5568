"""What the points of a study say together: accuracy and loss of each place in the figure, and differences to a baseline.

    places = by_place(points)                           # {("value", "70"): [Point of seed 1, of seed 2, ...]}
    place_record(places["value", "70"])                 # accuracy over all tasks and seeds with its interval; loss; budget
    compared(places["value", "70"], places["random", "70"])

A problem's answers under several seeds count as several samples of it: intervals are over problems, with the seeds' spread inside
(stages/statistics/paired.py). They say nothing of other corpora or models.
"""

from collections.abc import Iterable
from statistics import mean
from typing import Any

import numpy as np

from stages.problems.student_format import COT
from stages.statistics.intervals import accuracy_record, bootstrap_ratio
from stages.statistics.paired import holm, paired_by_problem
from stages.studies.points import Point
from stages.studies.sections import SERIES, parse_baseline

Place = tuple[str, str]  # series and x


def by_place(points: Iterable[Point]) -> dict[Place, list[Point]]:
    """The points of each place, by seed."""
    places: dict[Place, list[Point]] = {}
    for point in sorted(points, key=lambda point: point.seed):
        places.setdefault((point.series, point.x), []).append(point)
    return places


def place_record(points: list[Point]) -> dict[str, Any]:
    """Of one place, over its seeds."""
    correct = np.array([_verdicts(point) for point in points])
    record: dict[str, Any] = {
        "seeds": [point.seed for point in points], **accuracy_record(correct.mean(axis=0), correct.size),
        "by_task": {task: _task_accuracy(points, task) for task in sorted(points[0].correct)},
        "by_seed": [round(float(row.mean()), 4) for row in correct], "budget": _mean_budget(points),
    }  # fmt: skip
    if losses := _losses(points):
        record["loss"] = {**_per_token(*losses), "num_problems": len(losses[1])}
    return record


def compared(points: list[Point], others: list[Point]) -> dict[str, Any] | None:
    """The first minus the second over the seeds of both, paired by seed and problem; None where they share no seed."""
    by_seed = {point.seed: point for point in others}
    pairs = [(point, by_seed[point.seed]) for point in points if point.seed in by_seed]
    if not pairs:
        return None
    mine, theirs = (np.array([_verdicts(pair[side]) for pair in pairs]) for side in (0, 1))
    both, only_b, only_a = mine & theirs, mine & ~theirs, ~mine & theirs
    cells = np.stack([both.sum(0), only_a.sum(0), only_b.sum(0), (~mine & ~theirs).sum(0)], axis=1)
    numbers = paired_by_problem(cells)
    found: dict[str, Any] = {
        "num_seeds": len(pairs), "points": round(100 * numbers.difference, 2), "low_95": round(100 * numbers.low_95, 2),
        "high_95": round(100 * numbers.high_95, 2), "p_value": round(numbers.p_value, 5),
    }  # fmt: skip
    a, b = _losses([pair[1] for pair in pairs]), _losses([pair[0] for pair in pairs])
    if a and b and np.array_equal(a[1], b[1]):
        found["loss"] = _per_token(b[0] - a[0], a[1])
    return found


def _per_token(nats: np.ndarray, tokens: np.ndarray) -> dict[str, float | None]:
    """Nats a token with the bootstrap's interval over problems."""
    low, high = bootstrap_ratio(nats, tokens) or (None, None)
    return {
        "nats_per_token": round(float(nats.sum() / tokens.sum()), 5), "low_95": low and round(low, 5),
        "high_95": high and round(high, 5),
    }  # fmt: skip


def _verdicts(point: Point) -> np.ndarray:
    """bool[answers]: whether each problem is right, task after task."""
    return np.array([digit == "1" for task in sorted(point.correct) for digit in point.correct[task]])


def _task_accuracy(points: list[Point], task: str) -> float:
    return round(mean(digit == "1" for point in points for digit in point.correct[task]), 4)


def _losses(points: list[Point]) -> tuple[np.ndarray, np.ndarray] | None:
    """float64[problems] of nats, the mean over the points, and of tokens; None where there are none."""
    rows = [[row for name in sorted(point.losses) for row in point.losses[name]] for point in points]
    if not rows or not rows[0]:
        return None
    table = np.array(rows, dtype=np.float64)
    return table[:, :, 0].mean(axis=0), table[0, :, 1]


def _mean_budget(points: list[Point]) -> dict[str, float]:
    return {name: round(mean(point.budget[name] for point in points), 6) for name in sorted(points[0].budget)}


def differences(places: dict[Place, list[Point]], baseline: str) -> dict[Place, dict[str, Any]]:
    """Of each place to its baseline (stages/studies/sections.py), where that is there and another one; Holm's p beside its own."""
    kind, name = parse_baseline(baseline)
    found: dict[Place, dict[str, Any]] = {}
    for (series, x), points in places.items():
        other = (name, x) if kind == SERIES else (series, name)
        if other != (series, x) and (numbers := compared(points, places.get(other, []))):
            found[series, x] = numbers
    adjusted = holm([numbers["p_value"] for numbers in found.values()])
    return {
        place: {**numbers, "holm_p": round(p, 5)} for (place, numbers), p in zip(found.items(), adjusted, strict=True)
    }


def point_rows(points: list[Point]) -> list[tuple[object, ...]]:
    """Every point's accuracy by task, and its loss by benchmark, under a head; one row a point and task."""
    rows: list[tuple[object, ...]] = [("series", "x", "seed", "task", "accuracy", "num_problems", "nats_per_token")]
    for point in points:
        for task in sorted(point.correct):
            losses = point.losses.get(task.partition("/")[0], []) if task.endswith(f"/{COT}") else []
            nats, tokens = (sum(column) for column in zip(*losses, strict=True)) if losses else (0.0, 0)
            rows.append(
                (point.series, point.x, point.seed, task, _task_accuracy([point], task), len(point.correct[task]),
                 round(nats / tokens, 5) if tokens else "")
            )  # fmt: skip
    return rows
