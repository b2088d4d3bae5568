"""What the points of a study say together: accuracy and loss of each place in the figure, and differences to a baseline.

    places = by_place(points)                           # {("value", "70"): [Point of seed 1, of seed 2, ...]}
    place_record(places["value", "70"])                 # accuracy over all tasks and seeds with its interval; loss; budget
    compared(places["value", "70"], places["random", "70"])

A problem's answers, in its modes and under the seeds, count as several samples of it (stages/statistics/paired.py). With two seeds
or more, intervals and p-values also cover the choice of seeds (stages/statistics/crossed_seeds.py); `covers` says which. They say
nothing of other corpora or models.
"""

import math
from collections.abc import Iterable
from statistics import mean
from typing import Any

import numpy as np

from stages.core.command import StageError
from stages.problems.student_format import COT
from stages.statistics.crossed_seeds import Spread, crossed, widened
from stages.statistics.intervals import accuracy_record, bootstrap_ratio
from stages.statistics.paired import holm, paired_by_problem
from stages.studies.points import Point
from stages.studies.sections import SERIES, FigureSettings, parse_baseline

Place = tuple[str, str]  # series and x


def study_summary(records: dict[Place, dict[str, Any]], settings: FigureSettings) -> dict[str, Any]:
    """What summary.json holds."""
    places = [{"series": series, "x": x, **record} for (series, x), record in records.items()]
    return {"title": settings.title, "baseline": settings.baseline, "places": places}


def by_place(points: Iterable[Point]) -> dict[Place, list[Point]]:
    """The points of each place, by seed; the series as they come, and in each the x in their order where all are numbers."""
    points = list(points)
    series = list(dict.fromkeys(point.series for point in points))
    is_numbers = all(is_number(point.x) for point in points)
    places: dict[Place, list[Point]] = {}
    order = (
        (lambda point: (series.index(point.series), float(point.x), point.seed))
        if is_numbers
        else (lambda point: point.seed)
    )
    for point in sorted(points, key=order):
        places.setdefault((point.series, point.x), []).append(point)
    return places


def is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def records_of(points: list[Point], baseline: str) -> dict[Place, dict[str, Any]]:
    """What each place came to, with its difference to the baseline.

    Raises:
        StageError: as `differences`.
    """
    places = by_place(points)
    records = {place: place_record(there) for place, there in places.items()}
    for place, difference in differences(places, baseline).items():
        records[place]["minus_baseline"] = difference
    return records


def place_record(points: list[Point]) -> dict[str, Any]:
    """Of one place, over its seeds."""
    right, sizes = _right(points)
    record: dict[str, Any] = {
        "seeds": [point.seed for point in points], **_accuracy(right, sizes),
        "by_task": {task: _task_accuracy(points, task) for task in sorted(points[0].correct)},
        "by_seed": [round(float(row.sum() / sizes.sum()), 4) for row in right], "budget": _mean_budget(points),
    }  # fmt: skip
    if losses := _losses(points):
        record["loss"] = {**_per_token(*losses), "num_problems": len(losses[1])}
    return record


def _accuracy(right: np.ndarray, sizes: np.ndarray) -> dict[str, Any]:
    """Of right answers, float[seeds, problems], of so many a problem and seed."""
    record: dict[str, Any] = accuracy_record(right.mean(axis=0) / sizes, int(len(right) * sizes.sum()))
    mean, spread = float(right.sum() / (len(right) * sizes.sum())), crossed(right, sizes)
    low, high = widened((record["low_95"], record["high_95"]), mean, spread)
    record |= {"accuracy": round(mean, 4), "low_95": round(max(0.0, low), 4), "high_95": round(min(1.0, high), 4)}
    return {**record, "covers": _covers(spread)}


def _covers(spread: Spread | None) -> str:
    return "problems and seeds" if spread else "problems"


def compared(points: list[Point], others: list[Point]) -> dict[str, Any] | None:
    """The first minus the second over the seeds of both, paired by seed and problem; None where they share no seed."""
    by_seed = {point.seed: point for point in others}
    pairs = [(point, by_seed[point.seed]) for point in points if point.seed in by_seed]
    if not pairs:
        return None
    mine, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    numbers = paired_by_problem(answer_cells(mine, theirs))
    (right, sizes), (right_of_others, _) = _right(mine), _right(theirs)
    spread = crossed(right - right_of_others, sizes)
    low, high = widened((numbers.low_95, numbers.high_95), numbers.difference, spread)
    p_value = max(numbers.p_value, spread.p_value(numbers.difference)) if spread else numbers.p_value
    found: dict[str, Any] = {
        "num_seeds": len(pairs), "covers": _covers(spread), "points": round(100 * numbers.difference, 2),
        "low_95": round(100 * max(-1.0, low), 2), "high_95": round(100 * min(1.0, high), 2), "p_value": round(p_value, 5),
    }  # fmt: skip
    a, b = _losses(theirs), _losses(mine)
    if a and b and np.array_equal(a[1], b[1]):
        found["loss"] = _per_token(b[0] - a[0], a[1])
    return found


def answer_cells(mine: list[Point], theirs: list[Point]) -> np.ndarray:
    """int[problems, 4]: a problem's answers over modes and seeds by (both, only theirs, only mine, neither)."""
    a, b = (np.array([_answers(point) for point in points]) for points in (mine, theirs))
    counts = [cell.sum(axis=0) for cell in (a & b, ~a & b, a & ~b, ~a & ~b)]
    of_problem = _problem_of_answers(mine[0])
    return np.stack([np.bincount(of_problem, weights=count) for count in counts], axis=1).astype(int)


def _per_token(nats: np.ndarray, tokens: np.ndarray) -> dict[str, float | None]:
    """Nats a token of float[seeds, problems]: the bootstrap's interval over problems, widened for the seeds."""
    ratio, spread = float(nats.sum() / (len(nats) * tokens.sum())), crossed(nats, tokens)
    interval = bootstrap_ratio(nats.mean(axis=0), tokens)
    low, high = widened(interval, ratio, spread) if interval else (None, None)
    return {
        "nats_per_token": round(ratio, 5), "low_95": None if low is None else round(low, 5),
        "high_95": None if high is None else round(high, 5),
    }  # fmt: skip


def _answers(point: Point) -> np.ndarray:
    """bool[answers]: whether each is right, task after task."""
    return np.array([digit == "1" for task in sorted(point.correct) for digit in point.correct[task]])


def _problem_of_answers(point: Point) -> np.ndarray:
    """int[answers]: the problem of each; a benchmark's modes ask the same problems."""
    starts: dict[str, int] = {}
    found, count = [], 0
    for task in sorted(point.correct):
        name, size = task.partition("/")[0], len(point.correct[task])
        if name not in starts:
            starts[name], count = count, count + size
        found.append(starts[name] + np.arange(size))
    return np.concatenate(found)


def _right(points: list[Point]) -> tuple[np.ndarray, np.ndarray]:
    """float[seeds, problems] of right answers over the modes, and float[problems] of answers a seed."""
    of_problem = _problem_of_answers(points[0])
    rows = [np.bincount(of_problem, weights=_answers(point)) for point in points]
    return np.array(rows), np.bincount(of_problem).astype(np.float64)


def _task_accuracy(points: list[Point], task: str) -> float:
    return round(mean(digit == "1" for point in points for digit in point.correct[task]), 4)


def _losses(points: list[Point]) -> tuple[np.ndarray, np.ndarray] | None:
    """float64[seeds, problems] of nats, and float64[problems] of tokens; None where there are none."""
    rows = [[row for name in sorted(point.losses) for row in point.losses[name]] for point in points]
    if not rows or not rows[0]:
        return None
    table = np.array(rows, dtype=np.float64)
    return table[:, :, 0], table[0, :, 1]


def _mean_budget(points: list[Point]) -> dict[str, float]:
    names = set.intersection(*(set(point.budget) for point in points))
    return {name: round(mean(point.budget[name] for point in points), 6) for name in sorted(names)}


def differences(places: dict[Place, list[Point]], baseline: str) -> dict[Place, dict[str, Any]]:
    """Of each place to its baseline (stages/studies/sections.py), where that is there and another one; Holm's p beside its own.

    Raises:
        StageError: no place has a baseline, or one has no seed in common with it.
    """
    kind, name = parse_baseline(baseline)
    found: dict[Place, dict[str, Any]] = {}
    for (series, x), points in places.items():
        other = (name, x) if kind == SERIES else (series, name)
        if other == (series, x) or other not in places:
            continue
        if not (numbers := compared(points, places[other])):
            raise StageError(
                f"{series} at {x} has no seed in common with its baseline, {other[0]} at {other[1]}. Give both the same seeds."
            )
        found[series, x] = numbers
    if len(places) > 1 and not found:
        names = ", ".join(f"{series} at {x}" for series, x in places)
        raise StageError(
            f"baseline {baseline}: nothing is compared with it; there are {names}. Correct it in the study's params.yaml."
        )
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
