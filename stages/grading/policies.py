"""Grading one response or answer under both policies: `ours`, and `jiuzhang`, the official rules without their `eval`.

    grade(response="... The answer is \\\\boxed{7}.", gold="7", kind="number")["ours"]
    -> Verdict(correct=True, extracted="7", rule="boxed/string", flags=())

Both are kept in every result, so that a number can be compared with the published ones, and it can be seen what the
choice of a grader is worth. VERSION changes whenever a verdict may.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from stages.grading.chosen_option import Extraction, extract_choice, option_of
from stages.grading.equivalence import Decision, is_equal
from stages.grading.exact_numbers import MIN_DIGITS
from stages.grading.extraction import extract_answer
from stages.grading.jiuzhang import grade_as_jiuzhang
from stages.problems.answers import CHOICE, LETTERS, NUMBER, TEXT

VERSION = "3"
POLICIES = ("ours", "jiuzhang")
GSM_HARD_TOLERANCE = Fraction(1, 10**9)
LETTER_RULES = ("option_boxed", "option_said", "option_line")
OCW_DIGITS = 2  # significant digits from which OCW's physical quantities are rounded values
REPLY = re.compile(r"\\[bf]box|\\boxed|####|^A:|\banswer\b|</think>|```", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    correct: bool
    extracted: str
    rule: str  # extraction/decision
    flags: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        return {"correct": self.correct, "extracted": self.extracted, "rule": self.rule, "flags": list(self.flags)}


def grade(
    *, gold: str, kind: str, response: str | None = None, pred: str | None = None,
    options: list[str] | None = None, dataset: str = "", is_truncated: bool = False,
) -> dict[str, Verdict]:  # fmt: skip
    """Grade a whole `response`, or an answer `pred` that was taken from one, under each policy. Never raises."""
    options = list(options or [])
    ours = grade_as_ours(gold, kind, response, pred, options, dataset, is_truncated)
    if kind == CHOICE and dataset.lower().startswith("tabmwp"):
        return {"ours": ours, "jiuzhang": _tabmwp_as_jiuzhang(gold, response, pred, options, dataset)}
    return {"ours": ours, "jiuzhang": Verdict(*grade_as_jiuzhang(gold, kind, response, pred, dataset))}


def _tabmwp_as_jiuzhang(gold: str, response: str | None, pred: str | None, options: list[str], dataset: str) -> Verdict:
    """The release asks for an option's text; a letter ("The answer is (B) no.") stands for it, as in TabMWP's own grader."""
    gold = _option_text(gold, options)
    named = extract_choice(response if response is not None else pred or "", options)
    text = _option_text(named.answer, options)
    if named.rule in LETTER_RULES and text.strip().lower() == gold.strip().lower():
        return Verdict(True, text, "option")
    return Verdict(*grade_as_jiuzhang(gold, TEXT, response, pred, dataset))


def _option_text(letter: str, options: list[str]) -> str:
    is_letter = len(letter) == 1 and letter in LETTERS[: len(options)] and letter not in options
    return options[ord(letter) - ord("A")] if is_letter else letter


def grade_as_ours(
    gold: str, kind: str, response: str | None, pred: str | None, options: list[str], dataset: str, is_truncated: bool
) -> Verdict:
    reference = _reference(gold, kind, options)
    found = _found(response, pred, kind, options)
    decision = _decide(found, reference, kind, options, dataset)
    if not decision.correct and pred is not None and response is None and is_prose(pred):
        found = extract_answer(pred, kind, options)
        decision = _decide(found, reference, kind, options, dataset)
    flags = (*found.flags, "truncated") if is_truncated else found.flags
    return Verdict(decision.correct, found.answer, f"{found.rule}/{decision.rule}", flags)


def _found(response: str | None, pred: str | None, kind: str, options: list[str]) -> Extraction:
    if response is not None:
        return extract_answer(response, kind, options)
    answer = (pred or "").strip()
    if kind == CHOICE:
        letter = extract_choice(answer, options)
        return letter if letter.answer else Extraction(answer, "given")
    return extract_answer(answer, kind, options) if REPLY.search(answer) else Extraction(answer, "given")


def is_prose(answer: str) -> bool:
    """Whether three words or more stand outside formulas: an answer in a sentence."""
    return len(re.findall(r"(?<!\\)\b[a-zA-Z]{2,}\b", re.sub(r"\$[^$]*\$|\\\w+\s*\{[^{}]*\}", " ", answer))) >= 3


def _reference(gold: str, kind: str, options: list[str]) -> str:
    """The reference answer; a published one may be a whole solution."""
    gold = gold.strip()
    if kind == CHOICE and gold in LETTERS[: len(options) or None] and len(gold) == 1:
        return gold
    if kind == CHOICE:
        return option_of(gold, options) or extract_choice(gold, options).answer or gold
    return extract_answer(gold, kind).answer or gold if REPLY.search(gold) else gold


def _decide(found: Extraction, reference: str, kind: str, options: list[str], dataset: str) -> Decision:
    if not found.answer.strip():
        return Decision(False, "no_answer")
    if kind == CHOICE:
        given = found.answer
        if len(reference) == 1 and len(given) != 1:
            given = option_of(given, options) or given
        return Decision(given.strip(" ().").upper() == reference.strip(" ().").upper(), "option")
    name = re.sub(r"\W|_", "", dataset.lower())
    tolerance = GSM_HARD_TOLERANCE if kind == NUMBER and name == "gsmhard" else None
    return is_equal(
        found.answer,
        reference,
        kind,
        tolerance,
        OCW_DIGITS if name in ("minervamath", "ocw") else MIN_DIGITS,
        decimal_comma=not name,
    )
