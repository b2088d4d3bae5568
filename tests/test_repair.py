"""Repairs before the strict parser: what is certain is restored, nothing else."""

import pytest

from stages.problems.grammar import Rejection
from stages.problems.repair import parse_repaired

GOOD = "[Problem]\nWhat is 3+4?\n[Solution]\n3+4=7\nThe answer is \\boxed{7}.\n[End]"
TOOL = "[Problem]\nWhat is 3+4?\n[Solution]\n```python\nprint(3 + 4)\n```\n```output\n7\n```\nThe answer is \\boxed{7}.\n[End]"


@pytest.mark.parametrize(
    ("completion", "mode", "repairs"),
    [
        (GOOD, "cot", []),
        (GOOD.replace("\n[End]", ""), "cot", ["end"]),
        (f"{GOOD}\n\nI hope this helps!", "cot", ["talk_after"]),
        (f"Sure, here it is.\n\n{GOOD}", "cot", ["talk_before"]),
        (f"```\n{GOOD}\n```", "cot", ["fence"]),
        (GOOD.replace("[Problem]", "**Problem:**").replace("[Solution]", "**[Solution]**"), "cot", ["headers"]),
        (
            GOOD.replace("[Problem]\n", "## Problem: ")
            .replace("[Solution]", "### Solution")
            .replace("[End]", "**End**"),
            "cot",
            ["headers"],
        ),
        (GOOD.replace("[Problem]", "[PROBLEM]:").replace("[End]", "[end]"), "cot", ["headers"]),
        (f"```text\n{TOOL}\n```", "tool", ["fence"]),
        (
            f"Of course!\n{TOOL.replace('[Problem]', '**[Problem]**')}\nBye.",
            "tool",
            ["headers", "talk_before", "talk_after"],
        ),
    ],
)
def test_common_deviations_are_repaired(completion: str, mode: str, repairs: list[str]) -> None:
    parsed, made = parse_repaired(completion, mode, "stop")
    whole, _ = parse_repaired(TOOL if mode == "tool" else GOOD, mode, "stop")
    assert parsed == whole
    assert made == repairs


@pytest.mark.parametrize(
    ("completion", "finish_reason"),
    [
        (GOOD + GOOD, "stop"),
        (GOOD.replace("\n[End]", ""), "length"),
        (GOOD.replace("The answer is \\boxed{7}.\n[End]", "and now we"), "stop"),
        (GOOD.replace("[Solution]", "[Solution]\n[Solution]"), "stop"),
        (GOOD.replace("[Problem]", ""), "stop"),
        ("The problem is hard.\nThe solution: none.", "stop"),
        (GOOD.replace("What is 3+4?", "Solution: what?").replace("\n[End]", ""), "stop"),
    ],
)
def test_what_is_not_certain_is_not_repaired(completion: str, finish_reason: str) -> None:
    parsed, made = parse_repaired(completion, "cot", finish_reason)
    assert isinstance(parsed, Rejection)
    assert made == []
