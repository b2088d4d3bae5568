"""A verdict on two answers, and verdicts on answers of several parts, made of those on the parts.

as_multiset(["2", "1"], ["1", "2"], "list", compare)     -> Decision(True, "list")
"""

from collections.abc import Callable
from dataclasses import dataclass

from stages.grading.comparison_time import is_time_over

MAX_VALUES = 64


@dataclass(frozen=True)
class Decision:
    correct: bool
    rule: str  # string, number, base, marks, name, clock, unit, words, matrix, list, brackets, interval, formula, symbolic, no_answer, too_long, refused, timeout, ...


Compare = Callable[[str, str], Decision]


def all_equal(answers: list[str], references: list[str], rule: str, compare: Compare) -> Decision:
    if len(answers) != len(references):
        return Decision(False, rule)
    for answer, reference in zip(answers, references, strict=True):
        if is_time_over():
            return Decision(False, "timeout")
        if not (part := compare(answer, reference)).correct:
            return Decision(False, rule if part.rule not in ("timeout", "refused") else part.rule)
    return Decision(True, rule)


def distinct(values: list[str]) -> list[str]:
    """Without what a set or a list of points says twice."""
    return list(dict.fromkeys(values))


def as_multiset(answers: list[str], references: list[str], rule: str, compare: Compare) -> Decision:
    if len(answers) != len(references) or len(answers) > MAX_VALUES:
        return Decision(False, rule)
    left = list(references)
    for answer in sorted(answers, key=lambda text: text not in left):
        match = next((one for one in left if one == answer), None)
        if match is None:
            match = next((one for one in left if not is_time_over() and compare(answer, one).correct), None)
        if match is None:
            return Decision(False, "timeout" if is_time_over() else rule)
        left.remove(match)
    return Decision(True, rule)
