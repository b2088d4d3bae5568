"""How often does a study's 95% interval exclude 0 although the two arms are equally good?

    python -m bench.study_intervals             # 2,000 comparisons for each number of seeds and spread of trainings
    python -m bench.study_intervals --quick     # 200

In each comparison both arms have the same true accuracy, 30%. A problem is easy or hard for both (standard deviation 15 points),
lies better to one arm or the other (4.5 points), and a training shifts all problems of its point together, by the spread that is
varied: 0, 1 or 3 points. Both arms are then judged as `ninechapters study` judges them (stages/studies/summary.py), and by an
interval over problems alone (stages/statistics/paired.py), which takes the seeds for further samples of a problem.

Prints a table, and one JSON object on the last line: for each case the percentage of intervals that exclude 0, and how far they
reach on either side (the median), in points.
"""

import json
import statistics
from collections.abc import Iterator
from typing import Any

import click
import numpy as np

from stages.statistics.paired import Paired, paired_by_problem
from stages.studies.points import Point
from stages.studies.summary import answer_cells, compared

NUM_PROBLEMS = 540  # of the laptop profile's two benchmarks
SEEDS, SPREADS = (3, 5), (0.0, 0.01, 0.03)
ACCURACY, HARDNESS, LEANING = 0.3, 0.15, 0.045
WAYS = {"problems": "problems alone", "study": "as a study does"}


def two_arms(rng: np.random.Generator, num_seeds: int, spread: float) -> tuple[list[Point], list[Point]]:
    """The points of two equally good arms; `spread`: standard deviation of a training's accuracy, as a fraction."""
    hardness, leaning = (rng.normal(0, size, NUM_PROBLEMS) for size in (HARDNESS, LEANING))
    arms = []
    for side in (0.5, -0.5):
        rates = ACCURACY + hardness + side * leaning + rng.normal(0, spread, (num_seeds, 1))
        arms.append([_point(seed, right) for seed, right in enumerate(rng.random(rates.shape) < rates, 1)])
    return arms[0], arms[1]


def _point(seed: int, right: np.ndarray) -> Point:
    return Point("simulated", "0", seed, [], {}, {"grade/cot": "".join("01"[bit] for bit in right.astype(int))}, {})


def intervals(mine: list[Point], theirs: list[Point]) -> dict[str, tuple[float, float]]:
    """The difference's 95% interval in points, by both ways."""
    alone: Paired = paired_by_problem(answer_cells(mine, theirs))
    study = compared(mine, theirs)
    assert study
    return {"problems": (100 * alone.low_95, 100 * alone.high_95), "study": (study["low_95"], study["high_95"])}


def figures(num_seeds: int, spread: float, count: int) -> dict[str, Any]:
    """Of `count` comparisons."""
    rng = np.random.default_rng([num_seeds, round(1000 * spread)])
    found = [intervals(*two_arms(rng, num_seeds, spread)) for _ in range(count)]
    record: dict[str, Any] = {"num_seeds": num_seeds, "spread_points": 100 * spread}
    for way in WAYS:
        ends = [one[way] for one in found]
        record[f"{way}_exclude_0_percent"] = round(100 * sum(low > 0 or high < 0 for low, high in ends) / count, 1)
        record[f"{way}_reach_points"] = round(statistics.median((high - low) / 2 for low, high in ends), 1)
    return record


def table(records: list[dict[str, Any]]) -> Iterator[str]:
    """As Markdown, for docs/studies.md."""
    yield f"| seeds | spread of trainings, points | {' | '.join(WAYS.values())} |"
    yield f"|---|---|{'---|' * len(WAYS)}"
    for record in records:
        cells = [f"{record[f'{way}_exclude_0_percent']}% (±{record[f'{way}_reach_points']})" for way in WAYS]
        yield f"| {record['num_seeds']} | {record['spread_points']:g} | {' | '.join(cells)} |"


@click.command()
@click.option("--quick", is_flag=True, help="200 comparisons a case instead of 2,000.")
def main(quick: bool) -> None:
    """Simulate all cases; print a table, and one JSON object on the last line."""
    count = 200 if quick else 2000
    records = [figures(num_seeds, spread, count) for num_seeds in SEEDS for spread in SPREADS]
    print("\n".join(table(records)))
    print(json.dumps({"comparisons": count, "num_problems": NUM_PROBLEMS, "cases": records}))


if __name__ == "__main__":
    main()
