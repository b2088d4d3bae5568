"""Confidence intervals of an accuracy.

wilson(60, 100) -> (0.502, 0.691)    # 95%, Wilson 1927
"""

import math

Z_95 = 1.959964


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


def accuracy_record(num_correct: int, num_problems: int) -> dict[str, float | int]:
    """An accuracy as the metrics show it: with its interval and its count."""
    low, high = wilson(num_correct, num_problems)
    accuracy = num_correct / num_problems if num_problems else 0.0
    return {
        "accuracy": round(accuracy, 4),
        "low_95": round(low, 4),
        "high_95": round(high, 4),
        "num_problems": num_problems,
    }
