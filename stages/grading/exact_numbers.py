r"""Numbers as people write them, as exact rationals, and when one equals another.

    as_number(r"2\frac{1}{2}")  -> Number(Fraction(5, 2)); a fraction is exact
    as_number("3.14")           -> Number(Fraction(157, 50), place=Fraction(1, 100)); a decimal number ends at a place
    same_number(as_number("3.1416"), Number(pi))  -> True

When a near value is equal follows from the reference (docs/evaluation.md has the table):

- whole (7, 7.0): the same number only; 1e-12 beside it is the rounding of floats;
- exact and not whole (1/3, \sqrt{2}, \pi): a decimal answer that is the reference, rounded or cut at the answer's last place,
  with a relative error of at most 1e-4: 0.3333 and 3.1416 are right, 0.33, 3.14 and 22/7 are not;
- decimal (16386.17): the same rule, and an answer with more digits, or an exact one, that rounds to the reference,
  if the reference has MIN_DIGITS significant digits: \sqrt{17} is 4.123, 1/3 is not 0.33.
"""

import functools
import re
from dataclasses import dataclass, replace
from fractions import Fraction

MAX_CHARS = 400  # of a number; a longer one is compared as a string
MAX_EXPONENT = 400
RELATIVE_TOLERANCE = Fraction(1, 10_000)  # of a rounded answer, as in the release
FLOAT_NOISE = Fraction(1, 10**12)
MIN_DIGITS = 3  # significant digits of a decimal reference that is taken for a rounded value

DECIMAL = r"\d+(?:\.\d*)?|\.\d+"
PLAIN = re.compile(rf"([-+]*)({DECIMAL})")
SLASH = re.compile(rf"([-+]*)\(?([-+]?(?:{DECIMAL}))\)?/\(?([-+]?(?:{DECIMAL}))\)?")
LATEX_FRACTION = re.compile(rf"([-+]*)(\d+)?\\frac\{{([-+]?(?:{DECIMAL}))\}}\{{([-+]?(?:{DECIMAL}))\}}")
SCIENTIFIC = re.compile(
    rf"([-+]*)({DECIMAL})(?:(?:\\times|\\cdot|\*|x)10(?:\^|\*\*)\{{?\(?([-+]?\d+)\)?\}}?|[eE]([-+]?\d+))"
)
POWER = re.compile(r"([-+]?)(\d{1,6})\^\{?(-?\d{1,3})\}?")
WITH_INDEX = re.compile(r"-?\(?(?:[0-9][0-9A-Za-z.]*|[0-9A-Z]{2,})\)?_(?:\{[^{}]*\}|\w)")
IN_A_BASE = re.compile(r"(-?)\(?([0-9A-Za-z]+(?:\.[0-9A-Za-z]+)?)\)?_\{?(\d{1,2})\}?")


@dataclass(frozen=True)
class Number:
    value: Fraction
    place: Fraction | None = None  # of the last digit, as written; None for whole numbers, fractions and formulas
    digits: int = 0  # significant ones, of a number with a place
    is_percent: bool = False

    @property
    def decimals(self) -> int | None:
        """Places after the point, as written; None for whole numbers, fractions and powers of ten."""
        return None if self.place is None or self.place > 1 else len(str(self.place.denominator)) - 1


@functools.lru_cache(maxsize=50_000)
def as_number(text: str) -> Number | None:
    """The number that a normalised answer is, or None."""
    if not text or len(text) > MAX_CHARS:
        return None
    is_percent = text.endswith("%")
    text = _unwrapped(text.removesuffix("%").removesuffix("\\"))
    try:
        found = _parsed(text)
    except (ValueError, ZeroDivisionError):
        return None
    return replace(found, is_percent=is_percent) if found else None


def in_a_base(text: str) -> tuple[str, int] | None:
    """`2516_{8}` as ("2516", 8); a number in base ten is an ordinary one. None for what no number of the base is."""
    found = IN_A_BASE.fullmatch(text)
    if not found or not 2 <= int(found[3]) <= 36:
        return None
    digits, base = found[2].upper(), int(found[3])
    if any(int(digit, 36) >= base for digit in digits.replace(".", "")):
        return None
    return (found[1] + (digits.lstrip("0") or "0"), base) if base != 10 else None


def has_index(text: str) -> bool:
    """Whether a normalised answer is a numeral with an index, of a base that it can be written in or not: 9_7, 12_n."""
    return bool(WITH_INDEX.fullmatch(text))


def same_number(
    answer: Number, reference: Number, tolerance: Fraction | None = None, min_digits: int = MIN_DIGITS
) -> bool:
    """Equal by the rules above, or within a relative `tolerance` if one is given.

    A percent sign on one side alone may mean the same number with a sign, or a hundredth of it: 50% is 50 and 0.5.
    Of a fraction such as 3/56 it means a hundredth alone. No other factor of 100 is forgiven.
    """
    if answer.is_percent == reference.is_percent:
        return _close(answer, reference, tolerance, min_digits)
    signed, plain = (answer, reference) if answer.is_percent else (reference, answer)
    is_ratio = plain.place is None and abs(plain.value) < 1 and plain.value != 0
    if not is_ratio and _close(answer, reference, tolerance, min_digits):
        return True
    place = None if signed.place is None else signed.place / 100
    hundredth = replace(signed, value=signed.value / 100, place=place)
    pair = (hundredth, plain) if answer.is_percent else (plain, hundredth)
    return hundredth.value == plain.value or (is_ratio and _close(*pair, tolerance, min_digits))


def is_whole(number: Number) -> bool:
    return number.value.denominator == 1


def _close(answer: Number, reference: Number, tolerance: Fraction | None, min_digits: int) -> bool:
    difference, size = abs(answer.value - reference.value), abs(reference.value)
    if difference == 0:
        return True
    if tolerance is not None:
        return not is_whole(reference) and difference <= size * tolerance
    if answer.place is not None and answer.place < size * FLOAT_NOISE and difference <= size * FLOAT_NOISE:
        return True
    if is_whole(reference) and not _is_scientific(reference):
        return False
    if reference.place is not None and (answer.place is None or answer.place < reference.place):
        if reference.digits >= min_digits and 2 * difference <= reference.place:
            return True
        return answer.place is not None and difference <= min(size * RELATIVE_TOLERANCE, reference.place / 2)
    return answer.place is not None and difference <= size * RELATIVE_TOLERANCE and _is_shortened(answer, reference)


def _is_shortened(answer: Number, reference: Number) -> bool:
    """Rounded or cut at the answer's last place."""
    assert answer.place is not None
    difference = abs(answer.value - reference.value)
    is_cut = abs(answer.value) < abs(reference.value) and difference < answer.place
    return is_cut or 2 * difference <= answer.place


def _is_scientific(number: Number) -> bool:
    """Written with a power of ten, so that its last digit is no unit: 3.0e8."""
    return number.place is not None and number.place > 1


def _unwrapped(text: str) -> str:
    while len(text) > 2 and text[0] + text[-1] in ("()", "{}") and not set("(){},") & set(text[1:-1]):
        text = text[1:-1]
    return text


def _parsed(text: str) -> Number | None:
    if found := PLAIN.fullmatch(text):
        return _decimal(found[1], found[2], 0)
    if found := LATEX_FRACTION.fullmatch(text):
        value = Fraction(found[3]) / Fraction(found[4])
        if found[2]:
            if not 0 < value < 1:
                return None  # `2\frac{3}{2}` and `2\frac{-1}{2}` are products
            value += int(found[2])
        return Number(_signed(found[1], value))
    if found := SLASH.fullmatch(text):
        return Number(_signed(found[1], Fraction(found[2]) / Fraction(found[3])))
    if found := SCIENTIFIC.fullmatch(text):
        exponent = int(found[3] or found[4])
        return _decimal(found[1], found[2], exponent) if abs(exponent) <= MAX_EXPONENT else None
    return _power(text)


def _decimal(signs: str, digits: str, exponent: int) -> Number:
    """A decimal number times a power of ten; a whole one without exponent has no place."""
    whole, point, rest = digits.rstrip(".").partition(".")
    value = _signed(signs, Fraction(digits.rstrip(".") or "0") * Fraction(10) ** exponent)
    if not point and not exponent:
        return Number(value)
    return Number(value, Fraction(10) ** (exponent - len(rest)), len((whole + rest).lstrip("0")))


def _power(text: str) -> Number | None:
    """`10^{-11}`, of a size that is worth writing out."""
    found = POWER.fullmatch(text)
    if not found or abs(int(found[3])) * len(found[2]) > MAX_EXPONENT or int(found[2]) == 0:
        return None
    return Number(_signed(found[1], Fraction(int(found[2])) ** int(found[3])))


def _signed(signs: str, value: Fraction) -> Fraction:
    return -value if signs.count("-") % 2 else value


def are_proportional(answers: list[str], references: list[str]) -> bool | None:
    """Whether positive numbers have the same ratios; None where a part is none."""
    numbers = [[as_number(part) for part in parts] for parts in (answers, references)]
    values = [[number.value for number in row if number and number.value > 0] for row in numbers]
    if len(values[0]) < len(answers) or len(values[1]) < len(references):
        return None
    return all(a * values[1][0] == b * values[0][0] for a, b in zip(*values, strict=True))
