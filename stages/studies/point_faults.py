"""What is wrong with a point's record, before anything is made of it.

fault_of({"series": "value", "x": "70", "seed": 1, "losses": None, ...}) -> "losses is None, not a table by name"
"""

import math
import re
from typing import Any

KINDS: dict[str, tuple[type, str]] = {
    "series": (str, "text"), "x": (str, "text"), "seed": (int, "a whole number"), "settings": (list, "a list"),
    "budget": (dict, "a table by name"), "correct": (dict, "a table by name"), "losses": (dict, "a table by name"),
}  # fmt: skip
LATER: dict[str, tuple[type, str]] = dict.fromkeys(
    ("problems", "outcome", "selection", "usage"), (dict, "a table by name")
)
KNOWN = KINDS | LATER


def fault_of(record: dict[str, Any]) -> str:
    """The first fault, in words; "" where there is none."""
    if missing := [name for name in KINDS if name not in record]:
        return f"it has no {', '.join(missing)}"
    if unknown := sorted(record.keys() - KNOWN.keys()):
        return f"it has {', '.join(unknown)}, which no point has"
    for name, (kind, words) in KNOWN.items():
        if name in record and (not isinstance(record[name], kind) or isinstance(record[name], bool)):
            return f"{name} is {record[name]!r}, not {words}"
    return _budget_fault(record["budget"]) or _verdict_fault(record["correct"]) or _loss_fault(record["losses"])


def _budget_fault(budget: dict[str, Any]) -> str:
    wrong = [name for name, number in budget.items() if not _is_finite(number)]
    return f"budget {wrong[0]} is {budget[wrong[0]]!r}, not a number" if wrong else ""


def _verdict_fault(correct: dict[str, Any]) -> str:
    if not correct:
        return "correct has no task"
    sizes: dict[str, int] = {}
    for task, digits in correct.items():
        if not isinstance(digits, str) or not re.fullmatch("[01]+", digits):
            return f"correct of {task} is {digits!r}, not a 0 or 1 for each problem"
        benchmark = task.partition("/")[0]
        if sizes.setdefault(benchmark, len(digits)) != len(digits):
            return f"{task} has {len(digits):,} problems, and another mode of {benchmark} {sizes[benchmark]:,}"
    return ""


def _loss_fault(losses: dict[str, Any]) -> str:
    for benchmark, rows in losses.items():
        if not isinstance(rows, list):
            return f"losses of {benchmark} is {rows!r}, not a list of nats and tokens"
        for index, row in enumerate(rows):
            if not (isinstance(row, (list, tuple)) and len(row) == 2 and all(map(_is_finite, row)) and row[1] > 0):
                return (
                    f"the loss of solution {index} of {benchmark} is {row!r}, not finite nats of at least one token; where it is "
                    "nan, the training diverged: lower its learning_rate"
                )
    return ""


def _is_finite(number: object) -> bool:
    return isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
