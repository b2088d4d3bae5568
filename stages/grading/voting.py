"""Votes among sampled answers: classes of equivalent answers, the majority's, and pass@k.

majority(["1/2", "0.5", "3"])  -> Vote(first=0, count=2): the class of the first answer, of two members
pass_at_k(8, 4, 2)             -> 0.786 (Chen et al. 2021, arXiv 2107.03374)
"""

from dataclasses import dataclass
from math import comb

from stages.grading.equivalence import is_equal
from stages.problems.answers import EXPRESSION


@dataclass(frozen=True)
class Vote:
    first: int  # the place of the class's first answer; -1 where nobody answered
    count: int


def answer_classes(answers: list[str], kind: str = EXPRESSION) -> list[list[int]]:
    """The places of equivalent answers together, classes in the order of their first; empty answers are in none."""
    classes: list[list[int]] = []
    for place, answer in enumerate(answers):
        if answer:
            own = next(
                (c for c in classes if answers[c[0]] == answer or is_equal(answer, answers[c[0]], kind).correct), None
            )
            if own is None:
                classes.append([place])
            else:
                own.append(place)
    return classes


def majority(answers: list[str], kind: str = EXPRESSION) -> Vote:
    """The largest class; of equal ones that which was seen first."""
    classes = answer_classes(answers, kind)
    if not classes:
        return Vote(-1, 0)
    largest = max(classes, key=len)
    return Vote(largest[0], len(largest))


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """The chance that k of n samples, drawn without putting back, hold a correct one: 1 - C(n-c, k) / C(n, k)."""
    return 1 - comb(num_samples - num_correct, k) / comb(num_samples, k)


def expected_majority(answers: list[str], corrects: list[bool], kind: str = EXPRESSION) -> float:
    """The chance that the majority's answer is correct when ties are broken by lot; 0 where nobody answered."""
    classes = answer_classes(answers, kind)
    top = max((len(c) for c in classes), default=0)
    largest = [c for c in classes if len(c) == top]
    return sum(corrects[c[0]] for c in largest) / len(largest) if largest else 0.0
