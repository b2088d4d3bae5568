r"""Numbers as people write them, as exact rationals, and when one equals another.

as_number(r"2\frac{1}{2}") -> Number(Fraction(5, 2), decimals=None, is_percent=False)
same_number(as_number("3.142"), as_number("3.1416"))  -> True
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARS = 400  # of a number; a longer one is compared as a string
MAX_EXPONENT = 400
RELATIVE_TOLERANCE = Fraction(1, 10_000)  # of a decimal reference, as in the release; whole references are exact

DECIMAL = r"\d+(?:\.\d*)?|\.\d+"
PLAIN = re.compile(rf"([-+]*)({DECIMAL})")
SLASH = re.compile(rf"([-+]*)\(?([-+]?(?:{DECIMAL}))\)?/\(?([-+]?(?:{DECIMAL}))\)?")
LATEX_FRACTION = re.compile(rf"([-+]*)(\d+)?\\frac\{{([-+]?(?:{DECIMAL}))\}}\{{([-+]?(?:{DECIMAL}))\}}")
SCIENTIFIC = re.compile(
    rf"([-+]*)({DECIMAL})(?:(?:\\times|\\cdot|\*|x)10(?:\^|\*\*)\{{?\(?([-+]?\d+)\)?\}}?|[eE]([-+]?\d+))"
)
POWER = re.compile(r"([-+]?)(\d{1,6})\^\{?(-?\d{1,3})\}?")
MIXED = re.compile(r"([-+]?)(\d+)\s+(\d+)/(\d+)")


@dataclass(frozen=True)
class Number:
    value: Fraction
    decimals: int | None = None  # places after the point, as written; None for whole numbers and fractions
    is_percent: bool = False
    is_rounded: bool = False  # written in scientific notation


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
    return Number(found.value, found.decimals, is_percent, found.is_rounded) if found else None


def mixed_number(answer: str) -> Number | None:
    """`2 1/2`, before normalisation takes its space away."""
    found = MIXED.fullmatch(answer.strip().strip("$").strip())
    if not found or int(found[4]) == 0:
        return None
    value = int(found[2]) + Fraction(int(found[3]), int(found[4]))
    return Number(-value if found[1] == "-" else value)


def same_number(answer: Number, reference: Number, tolerance: Fraction = RELATIVE_TOLERANCE) -> bool:
    """Equal: exactly for a whole or fractional reference, else to a relative tolerance or half its last place.

    A fraction equals a decimal answer within the tolerance: 0.3333 is 1/3, 0.33 is not. A percent sign on one side alone may mean
    the same number with a sign, or a hundredth of it: 50% is 50 and 0.5. No other factor of 100 is forgiven.
    """
    if _close(answer, reference, tolerance):
        return True
    if answer.is_percent == reference.is_percent:
        return False
    signed, plain = (answer, reference) if answer.is_percent else (reference, answer)
    hundredth = Number(signed.value / 100, (signed.decimals or 0) + 2)
    return _close(plain, hundredth, Fraction(0)) or plain.value == hundredth.value


def _close(answer: Number, reference: Number, tolerance: Fraction) -> bool:
    difference = abs(answer.value - reference.value)
    if difference == 0:
        return True
    if reference.decimals is None and not reference.is_rounded:
        return (
            answer.decimals is not None and not is_whole(reference) and difference <= abs(reference.value) * tolerance
        )
    if is_whole(reference) and not reference.is_rounded:
        return False  # 43.0
    if difference <= abs(reference.value) * tolerance:
        return True
    if answer.decimals is not None and answer.decimals < (reference.decimals or 0):
        return False  # 3.1 does not say 3.14
    return reference.decimals is not None and difference <= Fraction(1, 2 * 10**reference.decimals)


def is_whole(number: Number) -> bool:
    return number.value.denominator == 1


def _unwrapped(text: str) -> str:
    while len(text) > 2 and text[0] + text[-1] in ("()", "{}") and not set("(){},") & set(text[1:-1]):
        text = text[1:-1]
    return text


def _parsed(text: str) -> Number | None:
    if found := PLAIN.fullmatch(text):
        decimals = len(found[2].partition(".")[2]) if "." in found[2].rstrip(".") else None
        return Number(_signed(found[1], Fraction(found[2])), decimals)
    if found := LATEX_FRACTION.fullmatch(text):
        value = Fraction(found[3]) / Fraction(found[4]) + int(found[2] or 0)
        return Number(_signed(found[1], value))
    if found := SLASH.fullmatch(text):
        return Number(_signed(found[1], Fraction(found[2]) / Fraction(found[3])))
    if found := SCIENTIFIC.fullmatch(text):
        exponent = int(found[3] or found[4])
        if abs(exponent) > MAX_EXPONENT:
            return None
        return Number(_signed(found[1], Fraction(found[2]) * Fraction(10) ** exponent), None, False, True)
    return _power(text)


def _power(text: str) -> Number | None:
    """`10^{-11}`, of a size that is worth writing out."""
    found = POWER.fullmatch(text)
    if not found or abs(int(found[3])) * len(found[2]) > MAX_EXPONENT or int(found[2]) == 0:
        return None
    return Number(_signed(found[1], Fraction(int(found[2])) ** int(found[3])))


def _signed(signs: str, value: Fraction) -> Fraction:
    return -value if signs.count("-") % 2 else value
