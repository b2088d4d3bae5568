r"""The value of a formula at a point: exact rationals as long as possible, then 40 or more digits (mpmath).

    value_of(read_formula(r"\frac{x}{2}+1"), Point({"x": Fraction(3)}))  -> Fraction(5, 2)

Sizes are bounded before anything is computed, so that no formula takes long: powers and factorials of more than
MAX_BITS bits raise TooLarge. A point remembers whether a value on the way was not real (`is_real`).
"""

import functools
import math
from fractions import Fraction
from typing import Any

from mpmath import MPContext

from stages.grading.formula_reader import Tree

MAX_BITS = 20_000  # of an exact power or factorial
MAX_MAGNITUDE = 10**6  # of an inexact value's exponent, in bits
MAX_FACTORIAL = 10**9
MAX_ARGUMENT = 10**30  # a sine of more would have no digit right

Value = Any  # Fraction, mpf or mpc


class TooLarge(ArithmeticError):
    """The value has too many digits to be worth computing."""


@functools.cache
def _context(digits: int) -> MPContext:
    context = MPContext()
    context.dps = digits
    return context


class Point:
    """Where a formula is evaluated: the values of its symbols, at a precision in digits."""

    def __init__(self, symbols: dict[str, Value], digits: int = 40) -> None:
        self.context = _context(digits)
        self.is_real = True
        self.has_bound = False  # a sum, product, integral or limit is compared as written, not computed
        self.symbols = symbols


def value_of(tree: Tree, point: Point) -> Value:
    """The value of a tree. Raises TooLarge, and ArithmeticError or ValueError where it is undefined."""
    kind = tree[0]
    if kind == "number":
        return tree[1]
    if kind == "symbol":
        return _symbol(tree[1], point)
    arguments = [value_of(argument, point) for argument in tree[2 if kind in ("call", "apply", "bound") else 1 :]]
    if kind == "call":
        return _call(tree[1], arguments, point)
    if kind in ("apply", "bound"):
        point.has_bound |= kind == "bound"
        return _unknown_function(tree[1], arguments, point)
    if kind == "negative":
        return -arguments[0]
    left, right = arguments
    if kind == "power":
        return _power(left, right, point)
    if not (isinstance(left, Fraction) and isinstance(right, Fraction)):
        left, right = _inexact(left, point), _inexact(right, point)
    if kind == "add":
        return left + right
    return left * right if kind == "mul" else left / right


def symbols_of(tree: Tree) -> set[str]:
    """The names of a tree's symbols, but for the constants e and pi."""
    if tree[0] == "symbol":
        return set() if tree[1] in ("e", "pi") else {tree[1]}
    return {name for part in tree[1:] if isinstance(part, tuple) for name in symbols_of(part)}


def _symbol(name: str, point: Point) -> Value:
    if name in point.symbols:
        return point.symbols[name]
    if name == "pi":
        return +point.context.pi
    if name == "e":
        return +point.context.e
    raise ValueError(f"no value for {name}")


def _inexact(value: Value, point: Point) -> Value:
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > 4 * MAX_BITS:
            raise TooLarge
        return point.context.mpf(value.numerator) / value.denominator
    return value


def _power(base: Value, exponent: Value, point: Point) -> Value:
    if isinstance(exponent, Fraction) and isinstance(base, Fraction) and exponent.denominator == 1:
        return _whole_power(base, exponent.numerator, point)
    real = _inexact(base, point)
    if _has_real_root(exponent) and _is_real(real) and real < 0:
        root = _bounded_power(-real, exponent, point)
        return -root if exponent.numerator % 2 else root
    return _bounded_power(real, exponent, point)


def _has_real_root(exponent: Value) -> bool:
    return isinstance(exponent, Fraction) and exponent.denominator > 1 and exponent.denominator % 2 == 1


def _whole_power(base: Fraction, exponent: int, point: Point) -> Value:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits <= 1 or bits * abs(exponent) <= MAX_BITS:
        if bits <= 1:
            exponent = exponent % 2 if abs(exponent) > 1 and base else exponent
        return base**exponent
    return _bounded_power(_inexact(base, point), Fraction(exponent), point)


def _bounded_power(base: Value, exponent: Value, point: Point) -> Value:
    context = point.context
    is_whole = isinstance(exponent, Fraction) and exponent.denominator == 1
    inexact = exponent.numerator if is_whole else _inexact(exponent, point)
    if base and abs(inexact) * abs(context.log(abs(base))) > MAX_MAGNITUDE:
        raise TooLarge
    result = base**inexact
    _note(result, point)
    return result


def _is_real(value: Value) -> bool:
    return isinstance(value, Fraction) or not hasattr(value, "imag") or value.imag == 0


def _note(value: Value, point: Point) -> None:
    if not _is_real(value):
        point.is_real = False


def _factorial(value: Value, point: Point) -> Value:
    if isinstance(value, Fraction) and value.denominator == 1:
        if value < 0:
            raise ValueError("the factorial of a negative number")
        if value <= 1500:
            return Fraction(math.factorial(value.numerator))
        if value > MAX_FACTORIAL:
            raise TooLarge
    number = _inexact(value, point)
    if abs(number) > MAX_FACTORIAL:
        raise TooLarge
    return point.context.factorial(number)


def _binomial(arguments: list[Value], point: Point) -> Value:
    top, bottom = arguments
    are_whole = all(isinstance(value, Fraction) and value.denominator == 1 for value in arguments)
    if are_whole and 0 <= bottom <= top <= 2000:
        return Fraction(math.comb(top.numerator, bottom.numerator))
    parts = [_inexact(_factorial(value, point), point) for value in (top, bottom, top - bottom)]
    return parts[0] / (parts[1] * parts[2])


def _whole_numbers(name: str, arguments: list[Value]) -> Value:
    if not all(isinstance(value, Fraction) for value in arguments):
        raise ValueError(f"{name} of inexact numbers")
    if name in ("max", "min"):
        return max(arguments) if name == "max" else min(arguments)
    if not all(value.denominator == 1 for value in arguments):
        raise ValueError(f"{name} of fractions")
    numbers = [value.numerator for value in arguments]
    return Fraction(math.gcd(*numbers) if name == "gcd" else math.lcm(*numbers))


def _unknown_function(name: str, arguments: list[Value], point: Point) -> Value:
    """A function of which only the name is known: the same for the same arguments, and for no others."""
    total = point.context.mpf(sum(place * ord(letter) for place, letter in enumerate(name, 1)))
    for place, argument in enumerate(arguments, 1):
        number = _inexact(argument, point)
        total += point.context.sin(number * place + len(name)) + point.context.cos(3 * number)
    return total


METHODS = {  # of mpmath, by the names of the reader
    "exp": "exp", "ln": "log", "log": "log10", "lg": "log10", "asin": "asin", "acos": "acos", "atan": "atan", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "arccot": "acot", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "sin": "sin",
    "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
}  # fmt: skip


def _call(name: str, arguments: list[Value], point: Point) -> Value:
    if name == "factorial":
        return _factorial(arguments[0], point)
    if name == "binomial":
        return _binomial(arguments, point)
    if name in ("gcd", "lcm", "max", "min"):
        return _whole_numbers(name, arguments)
    value = arguments[0]
    if name == "degree":
        return _inexact(value, point) * point.context.pi / 180
    if name == "abs":
        return abs(value)
    number = _inexact(value, point)
    if abs(number) > (MAX_MAGNITUDE if name in ("exp", "sinh", "cosh") else MAX_ARGUMENT):
        raise TooLarge
    if name in ("floor", "ceiling"):
        return Fraction(int((point.context.floor if name == "floor" else point.context.ceil)(number.real)))
    result = getattr(point.context, METHODS[name])(number)
    _note(result, point)
    return result
