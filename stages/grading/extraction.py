r"""Taking the final answer from a response: the last box, a mark, a closing sentence, the last formula, the last number.

    extract_answer("3 + 4 = 7\nThe answer is \\boxed{7}.", "number") -> Extraction("7", "boxed")

Nothing is guessed when a choice is asked (choices.py).
"""

import re

from stages.grading.chosen_option import Extraction, extract_choice
from stages.grading.responses import (
    FENCED,
    FORMULA,
    HASHES,
    LETTER_A,
    LETTERED,
    NUMBER_IN_TEXT,
    last_boxes,
    said_answer,
    spoken,
)
from stages.problems.answers import CHOICE, EXPRESSION, NUMBER, TEXT


def extract_answer(response: str, kind: str = EXPRESSION, options: list[str] | None = None) -> Extraction:
    """The final answer of a response, for a benchmark's kind of answers; the rule "none" and "" where there is none."""
    text = spoken(response)
    if kind == CHOICE:
        return extract_choice(text, options or [])
    found = _marked(text, kind) or _from_output(response) or _last_formula(text, kind)
    if not found and (numbers := NUMBER_IN_TEXT.findall(text)):
        found = Extraction(numbers[-1].strip(".,"), "last_number", ("fallback_last_number",))
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
    said = said_answer(text)
    if said and kind == TEXT:
        said = LETTERED.sub("", said) or said
    if said and kind == NUMBER and (numbers := NUMBER_IN_TEXT.findall(said.rpartition("=")[2])):
        return Extraction(numbers[0].strip(".,"), "answer_is")
    numbers = NUMBER_IN_TEXT.findall(said)
    if len(numbers) == 1 and len(re.findall(r"(?<!\\)\b[a-zA-Z]{2,}\b", said)) >= 3 and "$" not in said:
        said = numbers[0]  # "7 hours ago, at noon"
    return Extraction(said, "answer_is") if said else None


def _from_output(response: str) -> Extraction | None:
    """What the last program printed, when the response ends with it: nothing was said of it, so it is flagged."""
    blocks = [block for block in FENCED.finditer(response) if block[1].strip() == "output"]
    if not blocks or re.search(r"\d", FENCED.sub("", response[blocks[-1].end() :])):
        return None
    lines = blocks[-1][2].strip().splitlines()
    return Extraction(lines[-1].strip(), "output", ("fallback_output",)) if lines else None


def _last_formula(text: str, kind: str) -> Extraction | None:
    found = FORMULA.findall(text)
    if not found:
        return None
    formula = next(g for g in found[-1] if g).strip()
    if kind == NUMBER and not re.search(r"\d", formula):
        return None
    after = text[text.rfind(formula) + len(formula) :]
    if NUMBER_IN_TEXT.search(after):
        return None
    return Extraction(formula, "formula", ("fallback_formula",))
