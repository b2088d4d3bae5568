r"""Rounded values of formulas without symbols: 6.2832 for 2\pi, by the rules of exact_numbers.

near_constants("1.4142", r"\sqrt{2}")  -> True
near_constants("1.41", r"\sqrt{2}")    -> False
"""

import re
from dataclasses import replace
from fractions import Fraction

from stages.grading.exact_numbers import Number, as_number, same_number
from stages.grading.formula_equality import constant_of
from stages.grading.formula_values import TooLarge

MAX_BITS = 4000
DECIMAL = re.compile(r"\d*\.(\d+)")
MIN_DECIMALS = 3  # of a decimal number inside a formula that is taken for a rounded one


def near_constants(answer: str, reference: str) -> bool:
    """Whether two formulas without symbols are one number but for rounding. Raises TooLarge."""
    numbers = _number(answer), _number(reference)
    return numbers[0] is not None and numbers[1] is not None and same_number(numbers[0], numbers[1])


def is_constant(text: str) -> bool:
    """Whether a formula has no symbol, whatever its size."""
    try:
        return constant_of(text) is not None
    except TooLarge:
        return True


def _number(text: str) -> Number | None:
    if plain := as_number(text):
        return plain
    found = constant_of(text)
    if found is None or not found.is_real:
        return None
    value = found.value if isinstance(found.value, Fraction) else _rational(found.value.real)
    if value is None:
        return None
    decimals = [len(digits) for digits in DECIMAL.findall(text)]
    if decimals and min(decimals) >= MIN_DECIMALS and value:
        return replace(Number(value), place=abs(value) * Fraction(1, 10_000), digits=4)
    return Number(value)


def _rational(value: object) -> Fraction | None:
    sign, mantissa, exponent, _ = value._mpf_  # type: ignore[attr-defined]
    if abs(exponent) > MAX_BITS:
        return None
    number = Fraction(int(mantissa)) * Fraction(2) ** exponent
    return -number if sign else number
