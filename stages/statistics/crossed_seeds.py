"""How far a figure of the same problems under several seeds would move with other problems and other seeds.

    spread = crossed(sums, sizes)                   # float[seeds, problems], float[problems]; None of one seed or one problem
    spread.margin()                                 -> 0.055: the estimate's 95% interval reaches as far on both sides
    spread.p_value(0.04)                            -> 0.09
    widened((0.01, 0.07), 0.04, spread)             -> (-0.015, 0.095)

Problems and seeds are two crossed random factors with one answer a cell (Brennan 2001, Generalizability Theory, the design
p x i; Owen 2007, The Pigeonhole Bootstrap, Annals of Applied Statistics 1:386). The variance of the mean is

    of seeds      the variance of the seeds' means over their number: how seeds differ, and the noise of a single answer
    of problems   what problems differ by beyond that noise: (MS_problems - MS_residual) / (seeds * problems), at least 0

and the interval adds their margins in squares (MOVER: Zou and Donner 2008), Student's t with seeds - 1 degrees of freedom for
the first and the normal quantile for the second. docs/studies.md has its error rates (bench/study_intervals.py).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, t

SMALLEST_P = 1e-9


@dataclass(frozen=True)
class Spread:
    """Variances of an estimate, in its unit squared."""

    of_seeds: float
    of_problems: float
    num_seeds: int

    def margin(self, p: float = 0.05) -> float:
        """Half the width of the 1 - p interval, in the estimate's unit."""
        by_seed = float(t.isf(p / 2, self.num_seeds - 1))
        return math.sqrt(by_seed**2 * self.of_seeds + float(norm.isf(p / 2)) ** 2 * self.of_problems)

    def p_value(self, estimate: float) -> float:
        """The p at which the interval about the estimate ends at 0; two-sided."""
        size = abs(estimate)
        if size <= self.margin(1.0):  # which is 0
            return 1.0
        if size >= self.margin(SMALLEST_P):
            return SMALLEST_P
        return float(brentq(lambda p: self.margin(p) - size, SMALLEST_P, 1.0))


def crossed(sums: np.ndarray, sizes: np.ndarray) -> Spread | None:
    """The spread of sum(sums) / (seeds * sum(sizes)); None for one seed or one problem, which have none.

    `sums`: float[seeds, problems], what a problem gives under a seed: right answers, nats; `sizes`: float[problems], of how
    many answers or tokens. A ratio is made linear at its mean.
    """
    num_seeds, num_problems = sums.shape
    if min(num_seeds, num_problems) < 2:
        return None
    ratio = sums.sum() / (num_seeds * sizes.sum())
    parts = (sums - ratio * sizes) / sizes.mean()
    by_seed, by_problem = parts.mean(axis=1), parts.mean(axis=0)
    residuals = parts - by_seed[:, None] - by_problem + parts.mean()
    noise = np.square(residuals).sum() / ((num_seeds - 1) * (num_problems - 1)) / (num_seeds * num_problems)
    of_problems = by_problem.var(ddof=1) / num_problems - noise
    return Spread(float(by_seed.var(ddof=1)) / num_seeds, max(0.0, float(of_problems)), num_seeds)


def widened(interval: tuple[float, float], estimate: float, spread: Spread | None) -> tuple[float, float]:
    """An interval over problems alone, so wide at least that it covers the seeds too; as it is where there is no spread."""
    margin = spread.margin() if spread else 0.0
    return min(interval[0], estimate - margin), max(interval[1], estimate + margin)
