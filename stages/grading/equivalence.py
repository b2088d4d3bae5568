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
from stages.grading.exact_numbers import MIN_DIGITS, Number, as_number, same_number
from stages.grading.normalization import Spelled, plain_words, spell
from stages.grading.spelled_numbers import spelled_number
from stages.grading.structural_rules import Decision, compare
from stages.grading.structures import split_top
from stages.grading.units import quantity_of, unit_of
from stages.problems.answers import EXPRESSION, TEXT

MAX_CHARS = 2000
FORMULA_MARKS = re.compile(r"[\\^_{}=<>+*/|!]|\d")
OPTION = re.compile(r"(?:option|choice|answer|letter)?\s*(?:is\s+)?(\()?([a-zA-Z])(?(1)\)|[).:]?)", re.IGNORECASE)
OPTION_WITH_TEXT = re.compile(r"\(([A-J])\)\s*\S.*|([A-J])[).:]\s+\S.*", re.DOTALL)
LETTER_UNIT = re.compile(r"([-+]?[\d.,]*\d)\s+[mgshlLNJWVKCF]\.?")
COMMUTING = re.compile(r"[a-z]{2,3}")
NO_SOLUTION = re.compile(r"(?:no|there (?:is|are) no) (?:real )?(?:solutions?|roots?)|emptyset|(?:the )?empty set")
ALL_REALS = re.compile(
    r"(?:all|any|every|the|the set of(?: all)?) reals?(?: numbers?)?|(?:x in )?mathbb r|r|(?:x in )?\( ?-infty ?, ?\+?infty ?\)"
)


@functools.lru_cache(maxsize=50_000)
def is_equal(
    answer: str, reference: str, kind: str = EXPRESSION, tolerance: Fraction | None = None, min_digits: int = MIN_DIGITS
) -> Decision:
    """Whether an answer equals the reference. Never raises, never hangs.

    `tolerance` is a relative one, for numbers of a benchmark with a rule of its own; `min_digits` is the number of
    significant digits from which a decimal reference is taken for a rounded value (exact_numbers.py).
    """
    if not answer.strip():
        return Decision(False, "no_answer")
    if answer.strip() == reference.strip():
        return Decision(True, "string")
    answer, reference = _last_side(answer), _last_side(reference)
    if len(answer) > MAX_CHARS or len(reference) > MAX_CHARS:
        return Decision(False, "too_long")
    left, right = spell(answer), spell(reference)
    for decision in (
        _as_units(answer, reference, left, right),
        _as_numbers(answer, left, right, tolerance, min_digits),
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
    if left.text == right.text and left.text and not (left.unit and right.unit):
        return Decision(True, "string")
    if not (left.unit or right.unit) and not (_has_letter(left.text) and _has_letter(right.text)):
        return None
    quantities = quantity_of(_plain(answer)), quantity_of(_plain(reference))
    if quantities[0] and quantities[1] and (left.unit != right.unit or not left.unit):
        return Decision(quantities[0] == quantities[1], "unit")
    units = unit_of(left.unit), unit_of(right.unit)
    if units[0] and units[1] and units[0] != units[1]:
        return Decision(False, "unit")
    return Decision(True, "string") if left.text == right.text and left.text else None


def _has_letter(text: str) -> bool:
    return bool(re.search(r"[a-zA-Z]", text))


def _plain(text: str) -> str:
    text = re.sub(r"\\(?:text|mbox|mathrm|textrm)\s*\{([^{}]*)\}", r" \1 ", text.replace("\\$", "$"))
    return re.sub(r"\s+", " ", re.sub(r"\\[,; ]|~|\\[()\[\]]|^\$(?=.*\$$)|(?<=\d)\$$", " ", text)).strip(" .")


def _as_numbers(
    answer: str, left: Spelled, right: Spelled, tolerance: Fraction | None, min_digits: int
) -> Decision | None:
    numbers = _number(left), _number(right)
    if numbers[1] and not numbers[0] and (found := LETTER_UNIT.fullmatch(answer.strip().strip("$").strip())):
        numbers = as_number(spell(found[1]).text), numbers[1]  # "10 m" for 10: no symbol, for the reference has none
    if numbers[0] and numbers[1]:
        return Decision(same_number(numbers[0], numbers[1], tolerance, min_digits), "number")
    return None


def _number(spelled: Spelled) -> Number | None:
    found = as_number(spelled.text)
    if found or not spelled.text.replace("-", "").isalpha():
        return found
    value = spelled_number(spelled.text) if len(spelled.text) < 100 else None
    return None if value is None else Number(Fraction(value))


def _as_words(answer: str, reference: str, left: Spelled, right: Spelled, kind: str) -> Decision | None:
    """Times, dates, an option's letter and words; None where a side is a formula."""
    words = plain_words(answer), plain_words(reference)
    if (is_same := same_clock(*words)) is not None:
        return Decision(is_same, "clock")
    dates = date_of(words[0]), date_of(words[1])
    if dates[0] and dates[1]:
        return Decision(dates[0] == dates[1], "date")
    letters = _option(answer), _option(reference)
    if all(letters):
        return Decision(_same_letter(letters[0], letters[1], kind), "letter")
    for synonyms in (NO_SOLUTION, ALL_REALS):
        if all(synonyms.fullmatch(word) for word in words):
            return Decision(True, "words")
    if kind != TEXT and ("!" in left.text or FORMULA_MARKS.search(right.text)):
        return None
    if words[0] == words[1] and words[0]:
        return Decision(True, "words")
    if kind == TEXT or not FORMULA_MARKS.search(left.text):
        is_same = _squeezed(words[0]) == _squeezed(words[1]) != ""
        return Decision(is_same or _commute(left.text, right.text, kind), "words")
    return None


def _option(answer: str) -> str:
    """The letter that an answer is, with its bracket if it has one: `\\text{(C)}` is "(C"; "" for anything else."""
    text = re.sub(r"\\[a-z]+\s*\{|[{}$*]|\\[,;! ]|~", " ", answer).strip().rstrip(".").strip()
    text = re.sub(r"\(\s*([a-zA-Z])\s*\)", r"(\1)", text)
    if found := OPTION.fullmatch(text):
        return f"{found[1] or ''}{found[2]}"
    if found := OPTION_WITH_TEXT.fullmatch(text):
        return f"({found[1] or found[2]}"
    return ""


def _same_letter(answer: str, reference: str, kind: str) -> bool:
    """The same letter; upper and lower case are one where a bracket or the benchmark says that it is an option."""
    if kind == TEXT or "(" in answer + reference:
        return answer[-1].upper() == reference[-1].upper()
    return answer == reference


def _commute(left: str, right: str, kind: str) -> bool:
    """`ba` is `ab`: a product of two or three small letters."""
    return kind == EXPRESSION and bool(COMMUTING.fullmatch(left)) and sorted(left) == sorted(right)


def _squeezed(words: str) -> str:
    return re.sub(r"[\s\-.']", "", re.sub(r"^(?:the|an?)\s+", "", words))
