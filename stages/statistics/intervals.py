"""Confidence intervals of an accuracy.

wilson(60, 100)                -> (0.502, 0.691)    # 95%, Wilson 1927
clustered([1.0, 0.5, 0.0])     -> (0.0, 1.0): of item means, when an item was answered several times
bootstrap_macro([...])         -> of the mean over datasets, items drawn anew within each
"""

import math
from collections.abc import Sequence

import numpy as np

Z_95 = 1.959964
NUM_RESAMPLES = 10_000
SEED = 1


def wilson(num_correct: int, num_problems: int) -> tuple[float, float]:
    """Wilson's 95% interval of a proportion; (0, 1) when there is nothing to count."""
    if num_problems == 0:
        return 0.0, 1.0
    rate, square = num_correct / num_problems, Z_95 * Z_95
    center = rate + square / (2 * num_problems)
    half = Z_95 * math.sqrt(rate * (1 - rate) / num_problems + square / (4 * num_problems**2))
    scale = 1 + square / num_problems
    low = 0.0 if num_correct == 0 else (center - half) / scale
    return low, 1.0 if num_correct == num_problems else (center + half) / scale


def clustered(item_means: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The 95% interval of a mean over items, each the mean of its samples (Miller 2024, arXiv 2411.00640)."""
    count = len(item_means)
    if count < 2:
        return 0.0, 1.0
    mean = float(np.mean(item_means))
    error = float(np.std(item_means, ddof=1)) / math.sqrt(count)
    return max(0.0, mean - Z_95 * error), min(1.0, mean + Z_95 * error)


def bootstrap_macro(
    datasets: Sequence[Sequence[float] | np.ndarray], num_resamples: int = NUM_RESAMPLES
) -> tuple[float, float]:
    """The 95% percentile interval of the mean of datasets' means: items are drawn with putting back within each dataset.

    `datasets`: item means, of one dataset each. Drawing n items is drawing how often each distinct mean comes.
    """
    rng = np.random.default_rng(SEED)
    total = np.zeros(num_resamples)
    for items in datasets:
        values, counts = np.unique(items, return_counts=True)
        draws = rng.multinomial(len(items), counts / len(items), size=num_resamples)
        total += draws @ values / len(items)
    low, high = np.percentile(total / len(datasets), [2.5, 97.5])
    return float(low), float(high)


def accuracy_record(item_means: Sequence[float] | np.ndarray) -> dict[str, float | int]:
    """An accuracy as the metrics show it: with its interval and its count. Items answered once have Wilson's interval."""
    values = np.asarray(item_means, dtype=np.float64)
    is_binary = bool(np.isin(values, (0.0, 1.0)).all())
    low, high = wilson(round(float(values.sum())), len(values)) if is_binary else clustered(values)
    accuracy = float(values.sum()) / len(values) if len(values) else 0.0
    return {
        "accuracy": round(accuracy, 4),
        "low_95": round(low, 4),
        "high_95": round(high, 4),
        "num_problems": len(values),
    }
