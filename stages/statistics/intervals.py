"""Confidence intervals of an accuracy; none has zero width, however few problems there are and whatever came out.

wilson(60, 100)                 -> (0.502, 0.691)   # 95%, Wilson 1927
wilson(0, 12)                   -> (0.0, 0.2425)
clustered([1.0, 0.5, 0.0], 6)   -> (0.161, 0.839)   # item means of six responses
bootstrap_ratio(nats, tokens)   -> of nats a token, problems drawn anew; None for one problem
bootstrap_macro([...])          -> of the mean over datasets, items drawn anew within each
"""

import math
from collections.abc import Sequence

import numpy as np

Z_95 = 1.959964
NUM_RESAMPLES = 10_000
DRAWN_NUMBERS = 4_000_000  # at a time: 32 MB
SEED = 1


def wilson(num_correct: float, num_problems: float) -> tuple[float, float]:
    """Wilson's 95% interval of a proportion, also of an effective number; (0, 1) when there is nothing to count."""
    if num_problems == 0:
        return 0.0, 1.0
    rate, square = num_correct / num_problems, Z_95 * Z_95
    center = rate + square / (2 * num_problems)
    half = Z_95 * math.sqrt(rate * (1 - rate) / num_problems + square / (4 * num_problems**2))
    scale = 1 + square / num_problems
    low = 0.0 if rate == 0 else (center - half) / scale
    return low, 1.0 if rate == 1 else (center + half) / scale


def clustered(item_means: Sequence[float] | np.ndarray, num_responses: int | None = None) -> tuple[float, float]:
    """The 95% interval of a mean over items, each the mean of its samples.

    Wilson's interval at the effective number of responses (Dean and Pagano 2015): n p (1 - p) / variance of the means, which
    is the number of items where each was answered once, and never more than `num_responses`, by default the number of items.
    Border: where all items have the same mean, their variance is unknown, and each counts as one response.
    """
    values = np.asarray(item_means, dtype=np.float64)
    if not len(values):
        return 0.0, 1.0
    mean, variance = float(values.mean()), float(values.var())
    size: float = len(values)
    if variance > 1e-12:
        size = min(size * mean * (1 - mean) / variance, max(size, num_responses or 0))
    return wilson(mean * size, size)


def bootstrap_macro(
    datasets: Sequence[Sequence[float] | np.ndarray], num_resamples: int = NUM_RESAMPLES
) -> tuple[float, float]:
    """The 95% percentile interval of the mean of datasets' means: items are drawn with putting back within each dataset.

    `datasets`: item means, of one dataset each. Drawing n items is drawing how often each distinct mean comes.
    Border: a dataset whose items all have the same mean is the same in every draw. The distance from its mean to the bounds
    of its Wilson interval is added in squares to the bootstrap's (MOVER; Zou and Donner 2008).
    """
    rng = np.random.default_rng(SEED)
    total = np.zeros(num_resamples)
    mean, below, above = 0.0, 0.0, 0.0
    for items in datasets:
        values, counts = np.unique(items, return_counts=True)
        draws = rng.multinomial(len(items), counts / len(items), size=num_resamples)
        total += draws @ values / len(items)
        mean += float(np.mean(items))
        if len(values) == 1:
            low, high = clustered(items)
            below, above = below + (values[0] - low) ** 2, above + (high - values[0]) ** 2
    low, high = np.percentile(total, [2.5, 97.5])
    low, high = mean - math.hypot(mean - low, math.sqrt(below)), mean + math.hypot(high - mean, math.sqrt(above))
    return max(0.0, float(low) / len(datasets)), min(1.0, float(high) / len(datasets))


def bootstrap_ratio(numerators: np.ndarray, denominators: np.ndarray) -> tuple[float, float] | None:
    """The 95% percentile interval of sum(numerators) / sum(denominators), items drawn with putting back; of one item none.

    The percentiles' distance from the ratio is widened by sqrt(n / (n - 1)): a bootstrap of few items is too narrow.
    """
    count = len(numerators)
    if count < 2:
        return None
    rng, ratios = np.random.default_rng(SEED), []
    rows = max(1, DRAWN_NUMBERS // count)
    for start in range(0, NUM_RESAMPLES, rows):
        drawn = rng.integers(count, size=(min(rows, NUM_RESAMPLES - start), count))
        ratios.append(numerators[drawn].sum(axis=1) / denominators[drawn].sum(axis=1))
    ratio, widening = float(numerators.sum() / denominators.sum()), math.sqrt(count / (count - 1))
    low, high = np.percentile(np.concatenate(ratios), [2.5, 97.5])
    return ratio - (ratio - float(low)) * widening, ratio + (float(high) - ratio) * widening


def standard_error(values: Sequence[float] | np.ndarray, low: float, high: float) -> float:
    """Of a mean: sd / sqrt(n), as in lm-eval; where the values do not differ, what a 95% interval [low, high] says."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return spread / math.sqrt(len(values)) if spread > 1e-9 else (high - low) / (2 * Z_95)


def accuracy_record(
    item_means: Sequence[float] | np.ndarray, num_responses: int | None = None
) -> dict[str, float | int]:
    """An accuracy as the metrics show it: with its interval, standard error and count (see `clustered`)."""
    values = np.asarray(item_means, dtype=np.float64)
    low, high = clustered(values, num_responses)
    accuracy = float(values.sum()) / len(values) if len(values) else 0.0
    return {
        "accuracy": round(accuracy, 4),
        "low_95": round(low, 4),
        "high_95": round(high, 4),
        "stderr": round(standard_error(values, low, high), 6),
        "num_problems": len(values),
    }
