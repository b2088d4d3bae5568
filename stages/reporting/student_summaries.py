"""The page's first screen: each student's size, training and gain over the control.

student_summary(standing)
-> {"student": "llama", "num_parameters": 913152, "trained": [{"training": "pretrain llama", "num_tokens": 514000, ...}, ...],
    "with": 0.515, "without": 0.069, "gain": 44.6, "low": 42.9, "high": 46.3, "num_problems": 540, "num_tasks": 4}
"""

import math
from collections import defaultdict
from typing import Any

from stages.reporting.accuracy import Standing
from stages.statistics.comparison import TaskComparison
from stages.statistics.intervals import Z_95


def student_summary(standing: Standing) -> dict[str, Any]:
    """Accuracies in [0, 1] and the gain in points, as means over benchmarks and modes; `gain` is None where nothing was compared."""
    config = standing.b.results["config"]
    told = {
        "student": standing.student,
        "num_parameters": config.get("model_num_parameters"),
        "trained": config.get("trained", []),
        "num_tasks": len(standing.tasks),
        "num_problems": _num_problems(standing),
        "gain": None,
    }
    if not standing.tasks:
        return told
    gain, error = mean_gain(standing.tasks)
    spread = {"gain": 100 * gain, "low": 100 * (gain - Z_95 * error), "high": 100 * (gain + Z_95 * error)}
    return told | spread | {"with": _mean(standing, "pretrained"), "without": _mean(standing, "base")}


def mean_gain(tasks: list[TaskComparison]) -> tuple[float, float]:
    """The mean of the tasks' paired differences, and its standard error.

    Benchmarks have different problems: within a mode their errors add as independent ones do. Modes solve the same problems:
    their errors are added whole, as if they went together, which is the most that they can come to.
    """
    squares: dict[str, float] = defaultdict(float)
    for task in tasks:
        squares[task.mode] += task.numbers.error**2
    error = sum(math.sqrt(total) for total in squares.values())
    return sum(task.numbers.difference for task in tasks) / len(tasks), error / len(tasks)


def _mean(standing: Standing, start: str) -> float:
    figures = [standing.figures[start][task.benchmark][task.mode]["accuracy"] for task in standing.tasks]
    return float(sum(figures) / len(figures))


def _num_problems(standing: Standing) -> int:
    """Of all benchmarks, each once though it is solved in several modes."""
    counts = {task.benchmark: standing.figures["pretrained"][task.benchmark][task.mode] for task in standing.tasks}
    return sum(figures["num_problems"] for figures in counts.values())
