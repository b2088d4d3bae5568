r"""Whether two answers are equal, by typed rules: strings, numbers, times, quantities, words; then by structure and value.

    is_equal("1/2", "0.5")              -> Decision(True, "number")
    is_equal(r"(-\infty,0)", r"(-\infty,0]") -> Decision(False, "brackets")

The argument order matters: the second is the reference. Nothing is ever evaluated as Python; formulas are read by a
grammar (formula_reader.py) and computed within bounds, and what it does not know reaches the computer algebra as LaTeX
of a bounded size, in a process that is killed when it takes too long (symbolic.py).
"""

import functools
import re
from fractions import Fraction

from stages.grading.clock_times import date_of, same_clock
from stages.grading.comparison_time import start_time
from stages.grading.decisions import Decision
from stages.grading.exact_numbers import MIN_DIGITS, Number, as_number, same_number
from stages.grading.letter_answers import FORMULA_MARKS, commute, option_letter, same_words
from stages.grading.normalization import Spelled, plain_words, spell
from stages.grading.spelled_numbers import spelled_value
from stages.grading.structural_rules import compare
from stages.grading.structures import split_top
from stages.grading.units import are_of_one_kind, measures_of, quantity_of, unit_of
from stages.problems.answers import EXPRESSION, TEXT

MAX_CHARS = 2000
LETTER_UNIT = re.compile(
    r"([-+]?[\d.,]*\d(?:[eE][-+]?\d+|\s*(?:\\times|\\cdot|×)\s*10\s*\^\s*\{?\s*-?\d+\s*\}?)?)\s+[mgshlLNJWVKCF]\.?"
)
CURRENCY = re.compile(r"\\\$|^\s*\$(?=[\d.,]+$)|[€£¥₹¢]|\b(?:dollar|cent|euro|pound|yen|rupee|Rs)s?\b")
ODD_PERCENT = re.compile(r"(?:\\circ\s*\}?|°|\bdegrees?|\\\$\s*[\d.,]+|\([A-E]\)\s*\}?)\s*\\?%")
DECIMAL_COMMA = re.compile(r"\$?(-?(?:\d+,\d{1,2}|0,\d+|\d+,\d{4,}))\$?")
LIKE_A_DECIMAL = re.compile(r"\$?(-?0,\d{3,})\$?")
LIKE_MONEY = re.compile(r"\$?(-?\d+,\d{2}|-?0,\d{3,})\$?")
NO_SOLUTION = re.compile(r"(?:no|there (?:is|are) no) (?:real )?(?:solutions?|roots?)|emptyset|(?:the )?empty set")
UNDEFINED = re.compile(r"(?:it |the limit |limit )?does not exist|dne")
ALL_REALS = re.compile(
    r"(?:all|any|every|the|the set of(?: all)?) reals?(?: numbers?)?|(?:x in )?mathbb r|r|(?:x in )?\( ?-infty ?, ?\+?infty ?\)"
)


@functools.lru_cache(maxsize=50_000)
def is_equal(
    answer: str, reference: str, kind: str = EXPRESSION, tolerance: Fraction | None = None, min_digits: int = MIN_DIGITS,
    decimal_comma: bool = False,
) -> Decision:  # fmt: skip
    """Whether an answer equals the reference. Never raises, never hangs.

    `tolerance` is a relative one, for numbers of a benchmark with a rule of its own; `min_digits` is the number of
    significant digits from which a decimal reference is taken for a rounded value (exact_numbers.py); `decimal_comma`
    says that a reference such as `1,22` may be a decimal number, which no known benchmark has.
    """
    if not answer.strip():
        return Decision(False, "no_answer")
    if answer.strip() == reference.strip():
        return Decision(True, "string")
    answer, reference = _last_side(answer), _last_side(reference)
    if len(answer) > MAX_CHARS or len(reference) > MAX_CHARS:
        return Decision(False, "too_long")
    start_time()
    left, right = spell(answer), spell(reference)
    for decision in (
        _as_units(answer, reference, left, right),
        _as_numbers(answer, reference, left, right, tolerance, min_digits),
        _as_decimal_comma(answer, reference, left, right, decimal_comma),
        _as_words(answer, reference, left, right, kind),
    ):
        if decision:
            return decision
    return compare(left.text, right.text)


def _last_side(text: str) -> str:
    """What stands right of a long chain's last sign: its length is no reason to refuse it."""
    return text if len(text) <= MAX_CHARS or "=" not in text else split_top(text, "=")[-1]


def _as_units(answer: str, reference: str, left: Spelled, right: Spelled) -> Decision | None:
    """Equal strings with no other unit; two quantities by their size: 2 hours 15 minutes is 135 minutes."""
    is_same = left.text == right.text != ""
    if ODD_PERCENT.search(answer) and not ODD_PERCENT.search(reference):
        return Decision(False, "unit")
    has_currency = CURRENCY.search(answer) and CURRENCY.search(reference)
    if is_same and not (left.unit and right.unit) and not has_currency and not _is_angle(answer, reference):
        return Decision(True, "string")
    is_in_feet = "'" in answer + reference
    if not (left.unit or right.unit or has_currency or is_in_feet or _has_letter(answer)) and not (
        _has_letter(left.text) and _has_letter(right.text)
    ):
        return None
    quantities = quantity_of(_plain(answer)), quantity_of(_plain(reference))
    if quantities[0] and quantities[1] and (left.unit != right.unit or not left.unit):
        return Decision(quantities[0] == quantities[1], "unit")
    if (found := measures_of(_plain(answer))) and (number := as_number(right.text)) and not right.unit:
        return Decision(number.value in found, "unit")
    units = unit_of(left.unit), unit_of(right.unit)
    if units[0] and units[1] and units[0] != units[1]:
        return Decision(False, "unit")
    if not any(units) and not are_of_one_kind(left.unit, right.unit):
        return Decision(False, "unit")
    return Decision(True, "string") if is_same else None


def _is_angle(*answers: str) -> bool:
    """Whether one says degrees and the other radians."""
    return bool(re.search(r"\brad", " ".join(answers))) and bool(re.search(r"\\circ|°|\bdeg", " ".join(answers)))


def _has_letter(text: str) -> bool:
    return bool(re.search(r"[a-zA-Z]", text))


def _plain(text: str) -> str:
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|°", " degrees ", text.replace("\\$", "$"))
    text = re.sub(r"\\(?:text|mbox|mathrm|textrm)\s*\{([^{}]*)\}", r" \1 ", text)
    text = re.sub(r"(\d)\s*'\s*(\d[\d.]*)\s*(?:\"|'')", r"\1 feet \2 inches", text)
    return re.sub(r"\s+", " ", re.sub(r"\\[,; ]|~|\\[()\[\]]|^\$(?=.*\$$)|(?<=\d)\$$", " ", text)).strip(" .")


def _as_numbers(
    answer: str, reference: str, left: Spelled, right: Spelled, tolerance: Fraction | None, min_digits: int
) -> Decision | None:
    numbers = _number(left, answer), _number(right, reference)
    if numbers[1] and not numbers[0] and (found := LETTER_UNIT.fullmatch(answer.strip().strip("$").strip())):
        numbers = as_number(spell(found[1]).text), numbers[1]  # "10 m" for 10: no symbol, for the reference has none
    if numbers[0] and numbers[1]:
        return Decision(same_number(numbers[0], numbers[1], tolerance, min_digits), "number")
    return None


def _as_decimal_comma(
    answer: str, reference: str, left: Spelled, right: Spelled, has_decimal_comma: bool
) -> Decision | None:
    """`1000,99` for 1000.99; `5, 6` is a list, and so is the reference `5,6`, while `0,111` is none."""
    found, number = DECIMAL_COMMA.fullmatch(answer.strip()), as_number(right.text)
    if not found or not number:
        pattern = LIKE_MONEY if has_decimal_comma else LIKE_A_DECIMAL
        found, number = pattern.fullmatch(reference.strip()), as_number(left.text)
    if not found or not number or number.value.denominator == 1:
        return None
    decimal = as_number(found[1].replace(",", "."))
    return Decision(True, "number") if decimal and same_number(decimal, number) else None


def _number(spelled: Spelled, written: str) -> Number | None:
    found = as_number(spelled.text)
    if found or len(written) > 100 or not spelled.text.replace("-", "").isalpha():
        return found
    value = spelled_value(plain_words(written))
    return None if value is None else Number(value)


def _as_words(answer: str, reference: str, left: Spelled, right: Spelled, kind: str) -> Decision | None:
    """Times, dates, an option's letter and words; None where a side is a formula."""
    words = plain_words(answer), plain_words(reference)
    if (is_same := same_clock(*words)) is not None:
        return Decision(is_same, "clock")
    dates = date_of(words[0]), date_of(words[1])
    if dates[0] and dates[1]:
        return Decision(dates[0] == dates[1], "date")
    letters = option_letter(answer), option_letter(reference)
    if all(letters):
        return Decision(_same_letter(letters[0], letters[1], kind), "letter")
    for synonyms in (NO_SOLUTION, ALL_REALS, UNDEFINED):
        if all(synonyms.fullmatch(word) for word in words):
            return Decision(True, "words")
    if kind != TEXT and ("!" in left.text or FORMULA_MARKS.search(right.text)):
        return None
    is_formula = bool(FORMULA_MARKS.search(left.text))
    if words[0] == words[1] and words[0] and not is_formula:
        return Decision(True, "words")
    if kind != TEXT and (is_formula or len(split_top(right.text)) > 1):
        return Decision(True, "words") if not is_formula and same_words(*words) else None
    return Decision(same_words(*words) or (kind == EXPRESSION and commute(left.text, right.text)), "words")


def _same_letter(answer: str, reference: str, kind: str) -> bool:
    """The same letter; upper and lower case are one where a bracket or the benchmark says that it is an option."""
    if kind == TEXT or "(" in answer + reference:
        return answer[-1].upper() == reference[-1].upper()
    return answer == reference
