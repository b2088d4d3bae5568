"""Two evaluations of the same problems: paired differences and exact tests.

paired(60, 3, 9, 28) -> Paired(both=60, only_a=3, only_b=9, neither=28, difference=0.06, ...)
paired_by_problem(cells) -> the same, of several samples a problem

McNemar's exact test (1947), with Holm's step-down correction (1979) over several tables; Newcombe's square-and-add interval
with the correlation of the two runs (1998, Statistics in Medicine 17:2635, method 10), which keeps a width where no problem
differs. The two may disagree when few problems differ; both are given.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from stages.statistics.intervals import Z_95, wilson


@dataclass(frozen=True)
class Paired:
    both: int
    only_a: int
    only_b: int
    neither: int
    difference: float  # B minus A
    error: float  # its paired standard error; where no response differs, what the interval says
    low_95: float
    high_95: float
    p_value: float  # exact McNemar, two-sided


def paired(both: int, only_a: int, only_b: int, neither: int) -> Paired:
    """The paired comparison of two runs on the same problems, by how many are right in both, in one alone, in none."""
    cells = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return paired_by_problem(np.repeat(cells, [both, only_a, only_b, neither], axis=0))


def paired_by_problem(cells: np.ndarray) -> Paired:
    """The same where a problem may have several samples: int[problems, 4], its responses by (both, only A, only B, neither).

    The interval is Newcombe's of the counts divided by the design effect: the variance of the difference with a problem's
    samples together over that with all responses apart, at least 1, and such that a problem counts as one response at least.
    The test is McNemar's over problems: on how many one run has more right than the other.
    """
    cells = cells.astype(
        np.int64
    )  # polars counts without a sign: a problem that was lost would be gained 4,294,967,295 times
    both, only_a, only_b, neither = (int(count) for count in cells.sum(axis=0))
    gains, sizes = cells[:, 2] - cells[:, 1], cells.sum(axis=1)
    num_problems, count = len(cells), max(int(sizes.sum()), 1)
    difference = (only_b - only_a) / count
    apart = only_a + only_b - count * difference**2
    together = float(np.square(gains - difference * sizes).sum())
    most = count / max(num_problems, 1)
    effect = most if min(apart, together) <= 1e-9 else min(max(together / apart, 1.0), most)
    low, high = newcombe(*(number / effect for number in (both, only_a, only_b, neither)))
    error = math.sqrt(together) / count if together > 1e-9 else (high - low) / (2 * Z_95)
    gained, lost = int((gains > 0).sum()), int((gains < 0).sum())
    p_value = float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    return Paired(
        both, only_a, only_b, neither, round(difference, 6), round(error, 6), round(low, 6), round(high, 6), p_value
    )


def newcombe(both: float, only_a: float, only_b: float, neither: float) -> tuple[float, float]:
    """The 95% interval of B's proportion minus A's; (-1, 1) when there is nothing to count."""
    count = both + only_a + only_b + neither
    if count == 0:
        return -1.0, 1.0
    a, b = both + only_a, both + only_b
    (low_a, high_a), (low_b, high_b) = wilson(a, count), wilson(b, count)
    rate_a, rate_b = a / count, b / count
    margins = a * (count - a) * b * (count - b)
    product = both * neither - only_a * only_b
    product = max(product - count / 2, 0.0) if product > 0 else product  # Newcombe's correction for continuity
    correlation = product / math.sqrt(margins) if margins > 0 else 0.0
    below = _added(rate_b - low_b, high_a - rate_a, correlation)
    above = _added(high_b - rate_b, rate_a - low_a, correlation)
    return max(-1.0, rate_b - rate_a - below), min(1.0, rate_b - rate_a + above)


def _added(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))


def holm(p_values: list[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: never smaller than what was given, never above 1."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted
