r"""Taking the final answer from a response: the last box, a mark, a closing sentence, the last formula, the last number.

    extract_answer("3 + 4 = 7\nThe answer is \\boxed{7}.", "number") -> Extraction("7", "boxed")

Nothing is guessed when a choice is asked (chosen_option.py).
"""

import re

from stages.grading.boxes import last_boxes
from stages.grading.chosen_option import Extraction, extract_choice
from stages.grading.clock_times import CLOCK_IN_TEXT
from stages.grading.last_numbers import last_number
from stages.grading.responses import (
    FENCED,
    HASHES,
    LETTER_A,
    LETTERED,
    NUMBER_IN_TEXT,
    last_formulas,
    said_answer,
    spoken,
    without_denials,
)
from stages.grading.said_numbers import lone_number, said_number, says_several
from stages.grading.units import quantity_of
from stages.problems.answers import CHOICE, EXPRESSION, NUMBER, TEXT

WORD = re.compile(r"(?<!\\)\b(?!and\b|or\b)[a-zA-Z]{2,}\b")


def extract_answer(response: str, kind: str = EXPRESSION, options: list[str] | None = None) -> Extraction:
    """The final answer of a response, for a benchmark's kind of answers; the rule "none" and "" where there is none."""
    text = spoken(response)
    if kind == CHOICE:
        return extract_choice(text, options or [])
    found = _marked(text, kind) or _from_output(response) or _last_formula(text, kind) or _last_number(text, kind)
    return found or Extraction("", "none")


def _marked(text: str, kind: str) -> Extraction | None:
    """A box, `####` or `A:`, or what follows "answer is"."""
    final = text.rfind("final answer is")
    boxes = last_boxes(text)
    if boxes and not (final > text.rfind("boxed") and said_answer(text[final - 1 :])):
        return Extraction(boxes, "boxed")
    for pattern in (HASHES, LETTER_A):
        if found := pattern.findall(text):
            return Extraction(found[-1].strip(), "mark")
    said = re.sub(r"\s+", " ", without_denials(said_answer(text))).strip(" ,;")
    if said and kind == TEXT:
        said = LETTERED.sub("", said) or said
    if said and kind == NUMBER:
        return Extraction(said_number(said), "answer_is")
    return Extraction(_first_number(said), "answer_is") if said else None


def _first_number(said: str) -> str:
    """The number of a sentence: "7 hours ago, at noon", "12 books on 6 shelves"; other answers as they are."""
    numbers = NUMBER_IN_TEXT.findall(said)
    words = len(WORD.findall(said))
    if "$" in said or not numbers or says_several(said) or quantity_of(said):
        return said
    is_leading = said.startswith(numbers[0]) and words >= 2 and not re.search(r"[=<>\\,:]", said)
    return (lone_number(said) or said) if (len(numbers) == 1 and words >= 3) or is_leading else said


def _from_output(response: str) -> Extraction | None:
    """What the last program printed, when the response ends with it: nothing was said of it, so it is flagged."""
    blocks = [block for block in FENCED.finditer(response) if block[1].strip() == "output"]
    if not blocks or re.search(r"\d", FENCED.sub("", response[blocks[-1].end() :])):
        return None
    lines = blocks[-1][2].strip().splitlines()
    return Extraction(lines[-1].strip(), "output", ("fallback_output",)) if lines else None


def _last_formula(text: str, kind: str) -> Extraction | None:
    formula, end = last_formulas(text)
    if not formula or (kind == NUMBER and not re.search(r"\d", formula)) or NUMBER_IN_TEXT.search(text[end:]):
        return None
    return Extraction(formula, "formula", ("fallback_formula",))


def _last_number(text: str, kind: str) -> Extraction | None:
    """The last number, or the time of day that it is a part of."""
    text = without_denials(text)
    numbers = list(NUMBER_IN_TEXT.finditer(text))
    if not numbers:
        return None
    times = list(CLOCK_IN_TEXT.finditer(text)) if kind != NUMBER else []
    if times and times[-1].end() >= numbers[-1].end():
        return Extraction(times[-1][0], "last_number", ("fallback_last_number",))
    return Extraction(last_number(text), "last_number", ("fallback_last_number",))
