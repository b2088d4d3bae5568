"""Two evaluations of the same items: paired differences and exact tests.

paired(60, 3, 9, 28) -> Paired(both=60, only_a=3, only_b=9, neither=28, difference=0.06, ...)

McNemar's exact test (1947), with Holm's step-down correction (1979) over several tables. Wald's interval and the exact
test may disagree when few items differ; both are given.
"""

import math
from dataclasses import dataclass

from scipy.stats import binomtest

from stages.statistics.intervals import Z_95


@dataclass(frozen=True)
class Paired:
    both: int
    only_a: int
    only_b: int
    neither: int
    difference: float  # B minus A
    error: float  # its paired standard error
    low_95: float
    high_95: float
    p_value: float  # exact McNemar, two-sided


def paired(both: int, only_a: int, only_b: int, neither: int) -> Paired:
    """The paired comparison of two runs on the same items, by how many are right in both, in one alone, in none."""
    count = both + only_a + only_b + neither
    difference = (only_b - only_a) / max(count, 1)
    error = math.sqrt(max(0.0, only_a + only_b - (only_b - only_a) ** 2 / max(count, 1))) / max(count, 1)
    p_value = float(binomtest(only_b, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    return Paired(
        both, only_a, only_b, neither, round(difference, 6), round(error, 6),
        round(difference - Z_95 * error, 6), round(difference + Z_95 * error, 6), p_value,
    )  # fmt: skip


def holm(p_values: list[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: never smaller than what was given, never above 1."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted
