"""A problem family: one kind of problem that the built-in teacher can write.

A family holds its wordings as templates and a `draw` that makes the numbers and everything computed from
them, so that an answer is never guessed:

    Family("gain", "grade", draw_gain,
           setups=("{name} has {a} {noun} and buys {b} more.", ...), questions=("How many {noun} now?", ...),
           steps=("{a} + {b} = {c}",), program=("print({a} + {b})",), answer="{c}")

Wordings and numbers come in two halves that never meet: `held_out=True` writes benchmark and target problems,
`held_out=False` writes what is taught. The wording pair (setup i, question j) is held out when (i + j) % 3 == 2;
a draw of numbers is held out when the hash of the family and its numbers falls in the last fifth.
"""

import hashlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from stages.problems.topics import TOPICS, topic_words

HELD_OUT_FIFTH = 4
MAX_DRAWS = 1000
DRAWS_TO_MATCH = 300  # a family's widest range holds some 90 numbers: one that can be drawn is, nearly always
SLOT = re.compile(r"\{\w+\}")

Draw = Callable[[random.Random], dict[str, int | str]]


@dataclass(frozen=True)
class Family:
    name: str
    level: str
    draw: Draw
    setups: tuple[str, ...]
    questions: tuple[str, ...]
    steps: tuple[str, ...]
    program: tuple[str, ...]
    answer: str
    subject: str = "Algebra"

    @property
    def topic_words(self) -> frozenset[str]:
        """The words of a text that call for this family."""
        return TOPICS[self.name].words

    @cached_property
    def given(self) -> frozenset[str]:
        """The names of the numbers that stand in the problem; the others are results."""
        return frozenset(
            slot.strip("{}") for wording in (*self.setups, *self.questions) for slot in SLOT.findall(wording)
        )


@dataclass(frozen=True)
class WrittenProblem:
    family: str
    level: str
    subject: str
    problem: str
    steps: tuple[str, ...]
    program: str
    answer: str

    def solution(self, mode: str) -> str:
        """The solution as `cot` (steps and a boxed answer) or `tool` (program, its output, boxed answer)."""
        closing = f"The answer is \\boxed{{{self.answer}}}."
        if mode == "tool":
            return f"```python\n{self.program}\n```\n```output\n{self.answer}\n```\n{closing}"
        return "\n".join((*self.steps, closing))


def is_held_out_draw(family: Family, numbers: dict[str, int | str]) -> bool:
    canonical = json.dumps([family.name, sorted(numbers.items())])
    return hashlib.sha256(canonical.encode()).digest()[0] % 5 == HELD_OUT_FIFTH


def wording_pairs(family: Family, held_out: bool) -> list[tuple[str, str]]:
    """The (setup, question) pairs of one half, in a fixed order."""
    return [
        (setup, question)
        for i, setup in enumerate(family.setups)
        for j, question in enumerate(family.questions)
        if ((i + j) % 3 == 2) == held_out
    ]


def draw_numbers(
    family: Family, rng: random.Random, held_out: bool, quantities: frozenset[int]
) -> dict[str, int | str]:
    """Numbers of the given half. With a text's quantities, one that the family can draw is given in the problem.

    Only one, and which one is drawn: so the problems of one text are many.

    Raises:
        ValueError: the family draws no numbers of that half.
    """
    seen: list[dict[str, int | str]] = []
    draws = _draws(family, rng, held_out, seen)
    if next(draws, None) is None:
        raise ValueError(f"family {family.name}: no draw in the {'held-out' if held_out else 'taught'} half")
    for quantity in rng.sample(sorted(quantities), len(quantities)):
        for numbers in itertools.chain(tuple(seen), draws):
            if any(numbers.get(name) == quantity for name in family.given):
                return numbers
    return seen[0]


def _draws(
    family: Family, rng: random.Random, held_out: bool, seen: list[dict[str, int | str]]
) -> Iterator[dict[str, int | str]]:
    """Draws of the given half, at most DRAWS_TO_MATCH; each is added to `seen`."""
    for _ in range(MAX_DRAWS):
        numbers = family.draw(rng)
        if is_held_out_draw(family, numbers) == held_out:
            seen.append(numbers)
            yield numbers
        if len(seen) == DRAWS_TO_MATCH:
            return


def draw_wording(family: Family, rng: random.Random, held_out: bool, text_words: frozenset[str]) -> tuple[str, str]:
    """A (setup, question) pair of the given half; each word that it has in common with the text makes it likelier."""
    pairs = wording_pairs(family, held_out)
    return rng.choice([pair for pair in pairs for _ in range(1 + 2 * len(text_words & _words_of(pair)))])


def _words_of(wording: tuple[str, str]) -> set[str]:
    """The words of three letters and more in a wording, without its slots."""
    return {word for word in topic_words(SLOT.sub(" ", " ".join(wording))) if len(word) > 2}


def write_problem(
    family: Family,
    rng: random.Random,
    words: dict[str, str],
    held_out: bool,
    quantities: frozenset[int] = frozenset(),
    text_words: frozenset[str] = frozenset(),
) -> WrittenProblem:
    """Write one problem of the family in the given half; `words` has `name`, `friend` and `noun`.

    Args:
        quantities: the whole numbers of a text, of which the problem takes one.
        text_words: the words of a text, to which the wording leans.
    """
    numbers = draw_numbers(family, rng, held_out, quantities)
    setup, question = draw_wording(family, rng, held_out, text_words)
    fill = {**words, **numbers}
    return WrittenProblem(
        family=family.name,
        level=family.level,
        subject=family.subject,
        problem=f"{setup} {question}".format_map(fill),
        steps=tuple(step.format_map(fill) for step in family.steps),
        program="\n".join(family.program).format_map(fill),
        answer=family.answer.format_map(fill),
    )
