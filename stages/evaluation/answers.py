"""Final answers: taking one from a response, and deciding whether two are equal.

    extract_answer("3 + 4 = 7\\nThe answer is \\boxed{7}.") -> Extraction("7", "boxed")
    is_equal("1/2", "0.5") -> (True, "number")

Typed rules first: the same string, then exact rational numbers; math-verify last, for LaTeX that is neither, with a
guard on size. Nothing of a response is ever evaluated as Python.
"""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

from stages.distillation.parsing import boxed_answers

MAX_CHARS = 200
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
ANSWER_IS = re.compile(r"answer is:?\s*([^\n]+?)\.?\s*$", re.IGNORECASE | re.MULTILINE)
LATEX_FRACTION = re.compile(r"^(-?)\\[dt]?frac\{(-?\d+)\}\{(\d+)\}$")


@dataclass(frozen=True)
class Extraction:
    answer: str
    rule: str  # boxed, answer_is, last_number, none


def extract_answer(response: str) -> Extraction:
    """The final answer of a response: the last box, else what follows "answer is", else the last number."""
    if boxes := boxed_answers(response):
        return Extraction(boxes[-1].strip(), "boxed")
    if said := ANSWER_IS.findall(response):
        return Extraction(said[-1].strip().strip("$"), "answer_is")
    if numbers := NUMBER.findall(response):
        return Extraction(numbers[-1], "last_number")
    return Extraction("", "none")


def normalize(answer: str) -> str:
    """Without spaces, dollar signs, thousands' commas, a closing dot, or sizing commands of LaTeX."""
    answer = answer.strip().strip("$").removesuffix(".").replace("\\!", "").replace("{,}", "")
    answer = re.sub(r"\\(?:left|right)(?![a-z])", "", answer)
    answer = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", answer)
    answer = re.sub(r"\\(?:text|mbox)\{\s*([^{}]*?)\s*\}", r"\1", answer)
    return re.sub(r"\s+", "", answer)


def as_number(answer: str) -> Fraction | None:
    """An exact number: whole, decimal, a/b or \\frac{a}{b}; None for anything else."""
    text = normalize(answer).removeprefix("\\$")
    if match := LATEX_FRACTION.match(text):
        text = f"{match[1]}{match[2]}/{match[3]}"
    if len(text) > MAX_CHARS or not re.fullmatch(r"-?\d*\.?\d+(?:/\d+)?|-?\d+\.", text):
        return None
    try:
        top, _, bottom = text.partition("/")
        return Fraction(top) / Fraction(bottom or 1)
    except (ValueError, ZeroDivisionError):
        return None


def is_equal(answer: str, reference: str) -> tuple[bool, str]:
    """Whether an answer equals the reference answer, and the rule that decided."""
    if not answer:
        return False, "no_answer"
    if normalize(answer) == normalize(reference):
        return True, "string"
    left, right = as_number(answer), as_number(reference)
    if left is not None and right is not None:
        return left == right, "number"
    if len(answer) > MAX_CHARS or len(reference) > MAX_CHARS:
        return False, "too_long"
    return _is_verified(answer, reference), "math_verify"


@functools.lru_cache(maxsize=10_000)
def _is_verified(answer: str, reference: str) -> bool:
    from math_verify import parse, verify
    from math_verify.parser import LatexExtractionConfig

    parsed = [parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=3) for text in (reference, answer)]
    return bool(parsed[0] and parsed[1] and verify(parsed[0], parsed[1], timeout_seconds=3))
