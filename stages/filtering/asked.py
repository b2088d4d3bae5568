r"""Whether an answer is of the kind that the question asks for, and satisfies what the question says of it.

    unfit_answer("How many bags does she need?", "5.045")               -> "how many bags: 5.045 is not whole"
    unfit_answer("What is the probability of heads?", "1.2")            -> "what is the probability: 1.2 is not from 0 to 1"

Only what a question says in a form that has one reading is used: it names a count, a probability, a remainder, a digit, or
the formula that is to be computed (asked_formulas.py).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from stages.filtering.asked_formulas import no_solution, not_computed
from stages.filtering.claims import DOUBLED
from stages.filtering.formula import read_formula, real_value
from stages.filtering.notation import NotFormula

ROUNDING = 1e-9
MEASURES = (
    "hours? minutes? seconds? days? weeks? months? years? miles? met(?:er|re)s? kilomet(?:er|re)s? km foot feet inch(?:es)? yards? "
    "(?:centi|milli)meters? cm pounds? lbs? ounces? (?:kilo)?grams? kg tons? (?:milli)?lit(?:er|re)s? ml gallons? quarts? pints? cups? "
    "teaspoons? tablespoons? dollars? cents? euros? pesos rupees degrees? radians percent(?:ages?)? square cubic acres? units? times "
    "calories [mg]b [mb]illion thousands? hundred dozens? bushels? more less fewer total full different average such whole much of"
)
MEASURE = rf"(?:{'|'.join(MEASURES.split())})\b"
EXTREMES = "smallest|largest|least|greatest|minimum|maximum|sum of the|only|positive|negative|odd|even|two-digit|three-digit|four-digit|common|exact"
WHOLES = (
    "integer|whole number|number of|prime|units digit|ones digit|tens digit|remainder|greatest common|least common|gcd|lcm|perfect square|multiple|"
    "sum of the digits"
)
AMOUNTS = "area|volume|perimeter|distance|length|radius|circumference|probability|number of|total"
NUMBER = re.compile(r"\\?\$?\s*([-−]?)\s*\\?\$?\s*((?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(\\?%)?")
GOES_ON = re.compile(r"\s*(?:[/^*+:,]|-\s*\d|\\|and\b|to\b|or\b|[a-zA-Z]\b)")  # after a number: no unit
REMAINDER = r"\bthe remainder (?:when|of|if|upon|obtained|that)[^?.]*?\bdivided by \$?(\d+)\$?(?![\d^])"
ASKS_FORMULA = re.compile(
    r"expression|equation|in terms of|function|formula|polynomial|simplify|factor|\bwrite\b", re.IGNORECASE
)
PAIR = re.compile(r"ordered (pair|triple|quadruple)\b[^.]{0,40}?\$\(?\s*\(?([a-z, ]+)\)")
INTERVAL = re.compile(r"([\[(])([^,]+),([^,]+)([\])])")
WHO = re.compile(r"\W*who\b", re.IGNORECASE)
TEXT_OR_COMMAND = re.compile(r"\\(?:text|mathrm|mbox|textbf|operatorname|mathbf)\s*\{[^{}]*\}|\\[a-zA-Z]+")
WORD_OR_UNIT = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}|\d\s*(?:\\\s)?\s*(?:\\mu|\\Omega|[A-Z])")
STRANGE = frozenset("eCckntmrd")  # letters that an answer may have of itself


class Kind(NamedTuple):
    """What a question asks for, by its words; `fits` says whether a number may be that."""

    asks: re.Pattern[str]
    unless: re.Pattern[str]
    fits: Callable[[float, re.Match[str]], bool]
    fault: str


def _kind(asks: str, unless: str, fits: Callable[[float, re.Match[str]], bool], fault: str) -> Kind:
    return Kind(re.compile(asks, re.IGNORECASE), re.compile(unless, re.IGNORECASE), fits, fault)


COUNT = rf"\bhow many (?:(?:more|fewer|less|total|different|whole|full|individual|of the|of) )?(?!{MEASURE})[a-zA-Z-]+"
QUANTITY = rf"\bhow (?:many|much|old|long|far|tall|heavy|wide|high|fast|often)\b|\bwhat is the (?:{AMOUNTS})\b"
PROBABILITY = (
    r"\bwhat(?: is|'s| was) the (?:probability|chance|likelihood)|\b(?:find|compute|determine) the probability"
)
WHOLE = rf"\b(?:what is|what's|find|compute|determine) the (?:(?:{EXTREMES}) )*(?:{WHOLES})\b(?! {MEASURE})"
DIGIT = r"\b(?:units|ones|tens|hundreds|last|thousands) digit\b"
POSITIVE = r"\b(?:what is|what's|find|compute|determine|which is|give) (?:the |a )?(?:(?:smallest|least|largest|greatest|only|unique|value of a|possible) )*positive (?:integer|number|real)(?! (?:value|solution|root))"
AVERAGE = r"\b(?:average|mean|expected|on average|per|rate|approximately|about|estimate|decimal|fraction)\b"
SIGNED = (
    r"\b(?:temperature|degrees|change in|net|below|negative|elevation|balance|loss|integer|score|altitude|debt|owe|coordinate|slope"
    r"|displacement|change\s*(?:\?|by|over|during|from)|differ|profit)"
)
KINDS = (
    _kind(COUNT, AVERAGE, lambda value, _: _is_whole(value), "is not whole"),
    _kind(QUANTITY, SIGNED, lambda value, _: value >= 0, "is negative"),
    _kind(PROBABILITY, r"percent|%|\+|odds", lambda value, _: 0 <= value <= 1, "is not from 0 to 1"),
    _kind(f"{WHOLE}|{DIGIT}", f"{AVERAGE}|{PROBABILITY}", lambda value, _: _is_whole(value), "is not whole"),
    _kind(POSITIVE, r"(?!)", lambda value, _: value > 0, "is not positive"),
    _kind(DIGIT, r"base|sum|product", lambda value, _: 0 <= value <= 9, "is no digit"),
    _kind(REMAINDER, r"(?!)", lambda value, found: 0 <= value < int(found[1]), "is no such remainder"),
)
NUMBERS = (KINDS[0].asks, KINDS[2].asks)  # a count, a probability


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < ROUNDING


def unfit_answer(problem: str, answer: str) -> str:
    """Why the answer cannot be right, or ""."""
    question, answer = _question(problem), DOUBLED.sub(r"\\", answer)
    if re.fullmatch(r"\(?[A-J]\)?", answer.strip()):
        return ""  # an option
    return (
        _unfit_number(problem, question, answer)
        or _unfit_form(problem, question, answer)
        or not_computed(problem, answer)
        or no_solution(problem, answer)
    )


def _question(problem: str) -> str:
    """The sentence that asks: the last with a question mark, else the last."""
    text = re.sub(r"\[asy\].*?\[/asy\]", " ", problem.partition("\nAnswer Choices")[0], flags=re.DOTALL)
    sentences = [s for s in re.split(r"(?<=[.?!])\s+(?=[A-Z$\\])", text.strip()) if s.strip()]
    asking = [s for s in sentences if "?" in s]
    return (asking or sentences or [""])[-1]


def _unfit_number(problem: str, question: str, answer: str) -> str:
    value = _leading_number(answer)
    if value is None or "Answer Choices" in problem:
        return ""
    for kind in KINDS:
        found = kind.asks.search(question)
        is_percent = kind.asks.pattern == PROBABILITY and "%" in answer
        if found and not is_percent and not kind.unless.search(question) and not kind.fits(value, found):
            return f"{found[0][:80]}: {answer[:40]} {kind.fault}"
    return ""


def _leading_number(answer: str) -> float | None:
    """The number that an answer is, or that it begins with: `5.5 bags`."""
    value, found = real_value(answer), NUMBER.match(answer.strip())
    if value is None and found and not GOES_ON.match(answer.strip()[found.end() :]):
        return float(f"{'-' if found[1] else ''}{found[2].replace(',', '')}")
    return value


def _unfit_form(problem: str, question: str, answer: str) -> str:
    """Letters in an answer that the problem does not have, or that it asks for; a pair that is none; a number for a name."""
    names, letters = _names(answer), _letters(problem)
    if names and not (names & (letters | STRANGE)) and not ASKS_FORMULA.search(problem):
        return f"{', '.join(sorted(names))} of {answer[:60]} is not in the problem"
    if names and not letters and any(kind.search(question) for kind in NUMBERS):
        return f"{answer[:60]} is no number"
    if WHO.match(question) and real_value(answer) is not None:
        return f"who: {answer[:40]} is a number"
    if fault := _no_interval(problem, answer):
        return fault
    pair = PAIR.search(question)
    return _no_pair(pair, problem, answer, names) if pair else ""


def _no_pair(pair: re.Match[str], problem: str, answer: str, names: set[str]) -> str:
    asked = set(re.findall(r"[a-z]", pair[2]))
    if names & asked and "in terms of" not in problem:
        return f"{answer[:60]} has the letters that are asked for"
    is_short = "," not in answer and len(asked) > 1
    return f"{answer[:60]} is no {pair[1]}" if is_short else ""


def _no_interval(problem: str, answer: str) -> str:
    """An interval that ends before it begins; two square brackets or two round ones may be a vector's."""
    found = INTERVAL.fullmatch(re.sub(r"\\(?:left|right)(?![a-zA-Z])", "", answer).strip("$ "))
    if not found or ((found[1] + found[4] in ("[]", "()")) and "interval" not in problem):
        return ""
    start, end = real_value(found[2]), real_value(found[3])
    is_empty = start is not None and end is not None and start > end
    return f"an interval: {answer[:60]} ends before it begins" if is_empty else ""


def _letters(text: str) -> set[str]:
    """The letters that stand alone in a text, but for its commands and words."""
    plain = re.sub(r"(?<=\d)(?=[a-zA-Z])", " ", TEXT_OR_COMMAND.sub(" ", text))
    return set(re.findall(r"(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])", plain))


def _names(answer: str) -> set[str]:
    """The letters of a formula, without their indices; none where words or units stand in it."""
    found: set[str] = set()
    if WORD_OR_UNIT.search(answer):
        return found
    for part in re.split(r",(?!\d{3})|\\\\|&", re.sub(r"\\(?:begin|end)\{[a-z]+\}", ",", answer.strip("$ "))):
        part = part.strip(" ()[]") if part.count("(") != part.count(")") else part
        try:
            names = read_formula(part.rpartition("=")[2]).names if part.strip() else ()
        except NotFormula:
            return set()
        found |= {name[0] for name in names if name[1:2] in ("", "_")}
    return found
