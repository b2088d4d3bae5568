r"""Whether two formulas are equal, by their values: exact where all is rational, at 50 digits and several points elsewhere.

    same_formula(r"(x+1)^{2}", r"x^{2}+2x+1")  -> True
    same_formula(r"\int x", "x")               -> None: not read, so another rule decides

Two formulas are equal when they are at every point where both are real; a product of formulas that agrees at random
points but differs elsewhere is as likely as a collision of 35 digits. An equation equals its multiples.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from stages.grading.formula_reader import Tree, read_formula
from stages.grading.formula_tokens import Unreadable
from stages.grading.formula_values import Point, TooLarge, Value, symbols_of, value_of
from stages.grading.relations import FLIPPED, RELATION, sides_of
from stages.grading.structures import split_top

DIGITS, CERTAIN_DIGITS = 50, 120  # the second where the first shows next to nothing
TOLERANCE_DIGITS = 35
CANDIDATES = [Fraction(n) for n in "17/7 31/13 5/11 43/19 29/23 7/17 37/29 11/31 53/37 13/41 59/43 19/47".split()]
SIGNS = ((1, 1, 1), (1, 1, 1), (-1, 1, -1), (1, -1, -1), (-1, -1, 1))  # of the symbols, point by point
MIN_POINTS = 2
INFINITE = {"\\infty": 1, "-\\infty": -1, "infinity": 1, "-infinity": -1}


@dataclass(frozen=True)
class Constant:
    """A formula without symbols: its value, real unless `is_real` is false."""

    value: Value
    is_real: bool


@functools.lru_cache(maxsize=20_000)
def same_formula(answer: str, reference: str) -> bool | None:
    """Whether two normalised answers are the same formula, equation or inequality; None where this does not decide.

    Raises TooLarge where a value has too many digits to be computed.
    """
    sides = [sides_of(text)[0] if RELATION.search(text) else split_top(text, "=") for text in (answer, reference)]
    if not all(0 < len(side) <= 2 for side in sides):
        return None
    if (is_same := _infinite(answer, reference)) is not None:
        return is_same
    try:
        trees = [[read_formula(side) for side in pair] for pair in sides]
    except (Unreadable, RecursionError):
        return None
    if len(sides[0]) != len(sides[1]):
        return None if RELATION.search(answer + reference) else False  # an equation is no formula
    if len(sides[0]) == 1:
        return _same_values(trees[0][0], trees[1][0])
    differences = [("add", pair[0], ("negative", pair[1])) for pair in trees]
    marks = [sides_of(text)[1] for text in (answer, reference)]
    if not marks[0] and not marks[1]:
        return _same_zeros(differences[0], differences[1])
    return _same_inequality(differences, marks) if marks[0] and marks[1] else None


def _infinite(answer: str, reference: str) -> bool | None:
    """Whether infinities have one sign; false beside a number, None where neither is infinite."""
    signs = [INFINITE.get(text.lstrip("+")) for text in (answer, reference)]
    if not any(signs):
        return None
    return signs[0] == signs[1] if all(signs) or constant_of(reference if signs[0] else answer) else None


@functools.lru_cache(maxsize=20_000)
def constant_of(text: str) -> Constant | None:
    """The number that a formula without symbols is; None for anything else. Raises TooLarge."""
    try:
        tree = read_formula(text)
        names = symbols_of(tree)
        if names - {"i"}:
            return None
        point = Point({"i": 1j}, DIGITS)
        point.symbols["i"] = point.context.mpc(0, 1)
        value = value_of(tree, point)
        return Constant(value, not _imaginary(value))
    except (Unreadable, RecursionError, ValueError, ZeroDivisionError, OverflowError):
        return None


def _imaginary(value: Value) -> bool:
    return not isinstance(value, Fraction) and bool(abs(value.imag) > abs(value) * 10.0**-TOLERANCE_DIGITS)


Agreement = Callable[[list[Value], Callable[[], list[Value]]], bool]  # of the values, and of the same to more digits


def _same_values(one: Tree, other: Tree) -> bool | None:
    def agree(values: list[Value], again: Callable[[], list[Value]]) -> bool:
        if close(values[0], values[1]):
            return True
        return _is_tiny(values) and _without_noise(values, again())

    return _at_points([one, other], agree)


def close(one: Value, other: Value, digits: int = TOLERANCE_DIGITS) -> bool:
    """Equal as rationals, or to a number of significant digits."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    if isinstance(one, Fraction):
        one, other = other, one
    if isinstance(other, Fraction):
        other = one.context.mpf(other.numerator) / other.denominator
    return bool(abs(one - other) <= max(abs(one), abs(other)) * one.context.mpf(10) ** -digits)


def _is_tiny(values: list[Value]) -> bool:
    """Whether what separates the values may be rounding around zero."""
    return any(
        value != 0 and not isinstance(value, Fraction) and abs(value) < 10.0**-TOLERANCE_DIGITS for value in values
    )


def _without_noise(values: list[Value], certain: list[Value]) -> bool:
    """Whether values are all zero but for rounding: they shrink when more digits are computed."""
    return all(
        c == 0 or (not isinstance(c, Fraction) and abs(c) < abs(v) * 1e-10)
        for v, c in zip(values, certain, strict=True)
    )


def _at_points(trees: list[Tree], agree: Agreement) -> bool | None:
    """Whether the values agree wherever all are real (or everywhere, if nowhere all are); None if too few points do."""
    names = sorted(set().union(*(symbols_of(tree) for tree in trees)))
    is_complex = "i" in names and "j" not in names
    free = [name for name in names if not (is_complex and name == "i")]
    verdicts: dict[bool, list[bool]] = {True: [], False: []}
    for number, _ in enumerate(SIGNS if free else SIGNS[:1]):
        found = _at_point(trees, free, number, is_complex, agree)
        if found is not None:
            verdicts[found[0] or is_complex].append(found[1])
            if not found[1] and (found[0] or is_complex):
                return False
    needed = MIN_POINTS if free else 1
    for is_real in (True, False):
        if len(verdicts[is_real]) >= needed:
            return all(verdicts[is_real])
    return None


def _at_point(
    trees: list[Tree], free: list[str], number: int, is_complex: bool, agree: Agreement
) -> tuple[bool, bool] | None:
    """(all values are real, they agree) at a point; None where one is undefined."""

    has_bound: list[bool] = []

    def values(digits: int) -> tuple[list[Value], bool]:
        point = Point({}, digits)
        for place, name in enumerate(free):
            candidate = CANDIDATES[(place + 3 * number) % len(CANDIDATES)] + place // len(CANDIDATES)
            point.symbols[name] = candidate * SIGNS[number][place % 3]
        if is_complex:
            point.symbols["i"] = point.context.mpc(0, 1)
        found = [value_of(tree, point) for tree in trees]
        has_bound.append(point.has_bound)
        return found, point.is_real

    try:
        found, is_real = values(DIGITS)
        agrees = agree(found, lambda: values(CERTAIN_DIGITS)[0])
        return (is_real, agrees) if agrees or not any(has_bound) else None
    except TooLarge:
        if free:
            return None
        raise
    except (ValueError, ArithmeticError):
        return None


def _same_zeros(one: Tree, other: Tree) -> bool | None:
    """Whether two differences are a constant multiple of each other; where they are not, other rules decide."""
    ratio = _constant_ratio(one, other)
    return None if ratio is None and not _is_polynomial(one, other) else ratio is not None


def _constant_ratio(one: Tree, other: Tree) -> Value | None:
    if symbols_of(one) != symbols_of(other) or not symbols_of(one):
        return None
    ratios: list[Value] = []

    def agree(values: list[Value], _: Callable[[], list[Value]]) -> bool:
        if values[0] == 0 or values[1] == 0:
            return bool(values[0] == values[1])
        ratios.append(_divided(values[0], values[1]))
        return close(ratios[-1], ratios[0])

    return ratios[0] if _at_points([one, other], agree) and len(ratios) >= MIN_POINTS else None


def _divided(one: Value, other: Value) -> Value:
    if isinstance(one, Fraction) != isinstance(other, Fraction):
        context = (other if isinstance(one, Fraction) else one).context
        one, other = (context.mpf(v.numerator) / v.denominator if isinstance(v, Fraction) else v for v in (one, other))
    return one / other


def _is_polynomial(*trees: Tree) -> bool:
    """Built from numbers and symbols by sums, products, whole powers, and division by numbers."""
    return all(_is_polynomial_node(tree) for tree in trees)


def _is_polynomial_node(tree: Tree) -> bool:
    kind, *parts = tree
    if kind in ("number", "symbol"):
        return True
    if kind == "power":
        return parts[1][0] == "number" and parts[1][1].denominator == 1 and parts[1][1] > 0 and _is_polynomial(parts[0])
    if kind == "divide":
        return parts[1][0] == "number" and _is_polynomial(parts[0])
    return kind in ("add", "mul", "negative") and _is_polynomial(*parts)


def _same_inequality(differences: list[Tree], marks: list[list[str]]) -> bool | None:
    """Whether one is a multiple of the other: by a positive number with the same sign between, by a negative with the other."""
    ratio = _constant_ratio(*differences)
    if ratio is None:
        return False if _is_polynomial(*differences) else None
    if not isinstance(ratio, Fraction) and ratio.imag != 0:
        return None
    expected = marks[1][0] if ratio > 0 else FLIPPED[marks[1][0]]
    return marks[0][0] == expected
