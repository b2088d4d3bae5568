r"""Exact arithmetic on tokens of a text: numbers, fractions, powers and roots, as one side of an equality.

read_side(tokens of r"\frac{1}{2} + 3^2") -> Side(value=Fraction(19, 2), is_computed=True, ...)
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import factorial, isqrt
from typing import NamedTuple

MAX_EXPONENT = 64
MAX_DIGITS = 40
MAX_FACTORIAL = 30
GAPS = ("skip", "size", "unit")


class NotNumeric(Exception):
    """An expression that is no plain computation."""


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Side:
    value: Fraction
    decimals: int | None  # of a lone decimal number
    is_computed: bool  # more than a number
    has_unit: bool
    is_percent: bool  # a number with its sign
    places: int  # most decimals of a number in it
    is_whole: bool  # a lone whole number
    division: tuple[int, int] | None  # of two whole numbers


def read_side(tokens: list[Token], has_shares: bool = False) -> Side:
    """The value of a whole expression; raises NotNumeric if it is none. With shares, 50 - 20% is 40: 20% of the 50."""
    meaning = [token for token in tokens if token.kind not in GAPS]
    if not meaning:
        raise NotNumeric
    has_unit = any(token.kind == "unit" for token in tokens)
    if any(one.kind == "open" and other.kind == "unit" for one, other in pairwise(tokens)):
        raise NotNumeric  # a remark in brackets
    reader = _Reader(meaning, has_shares)
    value = reader.sum()
    if reader.place != len(meaning):
        raise NotNumeric
    lone = meaning[0] if len(meaning) == 1 else meaning[1] if len(meaning) == 2 and meaning[0].kind == "sign" else None
    is_percent = len(meaning) == 2 and meaning[1].kind == "percent"
    number = meaning[0] if is_percent else lone
    decimals = (
        len(number.text.partition(".")[2]) + 2 * is_percent if number and ("." in number.text or is_percent) else None
    )
    return Side(
        value,
        decimals,
        lone is None and not is_percent,
        has_unit,
        is_percent,
        max((len(t.text.partition(".")[2]) for t in meaning if t.kind == "number"), default=0),
        lone is not None and "." not in lone.text,
        _division(meaning),
    )


def _division(tokens: list[Token]) -> tuple[int, int] | None:
    numbers = [token.text.replace(",", "") for token in tokens[::2]]
    is_one = [token.kind for token in tokens] == ["number", "over", "number"] and all(map(str.isdigit, numbers))
    return (int(numbers[0]), int(numbers[1])) if is_one else None


class _Reader:
    """Reads tokens as an exact computation, products before sums, powers first."""

    def __init__(self, tokens: list[Token], has_shares: bool) -> None:
        self.tokens, self.place, self.has_shares = tokens, 0, has_shares

    def kind(self) -> str:
        return self.tokens[self.place].kind if self.place < len(self.tokens) else ""

    def take(self) -> Token:
        token = self.tokens[self.place]
        self.place += 1
        return token

    def sum(self) -> Fraction:
        value = self.product()
        while self.kind() == "sign":
            is_minus, is_share = self.take().text != "+", self.has_shares and self.is_share()
            change = self.product() * (value if is_share else 1)
            value = value - change if is_minus else value + change
        return value

    def is_share(self) -> bool:
        """20% alone"""
        ahead = [token.kind for token in self.tokens[self.place : self.place + 3]]
        return ahead[:2] == ["number", "percent"] and ahead[2:] not in (["times"], ["over"])

    def product(self) -> Fraction:
        value = self.factor()
        while self.kind() in ("times", "over", "open", "fraction", "root"):
            sign = self.take() if self.kind() in ("times", "over") else None
            operation = sign.kind if sign else "times"
            other = self.tight_fraction() if sign and self.is_tight_fraction(sign) else self.factor()
            value = value / other if operation == "over" else value * other
        return value

    def is_tight_fraction(self, sign: Token) -> bool:
        """6 / 1/30: a fraction written without spaces after a sign with some."""
        ahead = self.tokens[self.place : self.place + 3]
        if [token.kind for token in ahead] != ["number", "over", "number"] or sign.end == ahead[0].start:
            return False
        return ahead[0].end == ahead[1].start and ahead[1].end == ahead[2].start

    def tight_fraction(self) -> Fraction:
        top = self.atom()
        self.take()
        return top / self.atom()

    def factor(self) -> Fraction:
        if self.kind() == "sign":
            return -self.factor() if self.take().text != "+" else self.factor()
        value = self.atom()
        while self.kind() in ("power", "percent", "factorial"):
            kind = self.take().kind
            value = (
                _power(value, self.exponent())
                if kind == "power"
                else _factorial(value)
                if kind == "factorial"
                else value / 100
            )
        return value

    def exponent(self) -> Fraction:
        if self.kind() == "sign":
            return -self.exponent() if self.take().text != "+" else self.exponent()
        value = self.atom()
        if self.kind() == "power":
            raise NotNumeric  # 2^3^2: two readings
        return value

    def atom(self) -> Fraction:
        kind = self.kind()
        if kind == "number":
            digits = re.sub(r"[^\d.]", "", self.take().text)
            if len(digits) > MAX_DIGITS or re.match(r"0\d", digits):
                raise NotNumeric
            if self.kind() == "fraction" and "." not in digits and self.is_proper():
                raise NotNumeric  # a mixed number or a product: who knows
            return Fraction(digits)
        if kind == "open":
            self.take()
            value = self.sum()
            if self.kind() != "close":
                raise NotNumeric
            self.take()
            return value
        if kind == "fraction":
            self.take()
            top = self.part()
            return top / self.part()
        if kind == "root":
            self.take()
            return _root(self.part())
        raise NotNumeric

    def is_proper(self) -> bool:
        """Whether the fraction ahead is of two whole numbers, the smaller one above."""
        ahead = [token.text for token in self.tokens[self.place + 1 : self.place + 7]]
        is_plain = len(ahead) == 6 and ahead[0] + ahead[2] + ahead[3] + ahead[5] == "{}{}"
        return is_plain and ahead[1].isdigit() and ahead[4].isdigit() and int(ahead[1]) < int(ahead[4])

    def part(self) -> Fraction:
        r"""An argument in braces; `\frac12` has one digit for each."""
        if self.kind() == "open":
            return self.atom()
        if self.kind() == "number" and len(self.tokens[self.place].text) == 1:
            return Fraction(self.take().text)
        raise NotNumeric


def _power(value: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT or len(str(value.numerator)) > 12:
        raise NotNumeric
    return value ** int(exponent)


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL:
        raise NotNumeric
    return Fraction(factorial(int(value)))


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise NotNumeric
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        raise NotNumeric
    return Fraction(top, bottom)


def is_line_end(token: Token) -> bool:
    return token.kind == "skip" and "\n" in token.text
