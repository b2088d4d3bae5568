"""The headline of a run, `reports/metrics.json`: at most twenty numbers, with names that fit a terminal.

    headline(figures)
    -> {"problems": 3177, "kept": 0.697, "reliability": 0.64, "usd": 0.0,
        "llama": {"cot": 0.43, "tool": 0.6, "gain": 44.6, "loss": 0.348}}

Everything else, intervals too, is in `reports/details.json`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stages.problems.student_format import MODES

MAX_STUDENTS = 4  # in the order of their names; of more, `reports/details.json` has the rest


def headline(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers to follow from commit to commit, of all figures.

    problems: verified synthetic problems; kept: their share of what was written, in [0, 1]; reliability: of a text's value; usd: paid
    for the teacher. For each student: accuracy in each mode, the mean over benchmarks, in [0, 1]; gain: over the control, in points, the
    mean over benchmarks and modes; loss: on reference solutions, nats a token, the mean over benchmarks. What was not measured is
    left out.
    """
    numbers = {
        "problems": figures["filter"]["num_kept"],
        "kept": round(figures["filter"]["kept_frac"], 3),
        "reliability": round(figures["value"]["reliability"], 3),
        "usd": round(sum(part["usd"] for part in figures["distillation"].values()), 2),
    }
    students = sorted(figures["accuracy"])[:MAX_STUDENTS]
    return numbers | {name_beside(numbers, student): _student(figures, student) for student in students}


def name_beside(numbers: Mapping[str, Any], student: str) -> str:
    """The student's name, made another where a number has it."""
    return f"{student} (student)" if student in numbers else student


def _student(figures: Mapping[str, Any], student: str) -> dict[str, float]:
    accuracies, losses = figures["accuracy"][student], figures["reference_loss"].get(student, {}).get("pretrained", {})
    tasks = accuracies["pretrained"].values()
    found = {
        **{mode: _mean((modes[mode]["accuracy"] for modes in tasks if mode in modes), 4) for mode in MODES},
        "gain": _mean((gain for modes in accuracies["gain_points"].values() for gain in modes.values()), 2),
        "loss": _mean((record["nats_per_token"] for record in losses.values()), 4),
    }
    return {name: number for name, number in found.items() if number is not None}


def _mean(numbers: Iterable[float], digits: int) -> float | None:
    listed = list(numbers)
    return round(sum(listed) / len(listed), digits) if listed else None
