r"""The value of a formula in complex floats: quick, for callers that compare with a tolerance.

    node_of(read_formula(r"\sqrt{x+1}"))({"x": 3})  -> 2.0

A tree becomes a function once and is computed at many points. `i` is the imaginary unit, `e` a letter as any other. In an
angle with a degree sign every number is of degrees; elsewhere the sign is a unit and left out.
"""

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from stages.filtering.notation import NotFormula
from stages.grading.formula_reader import Tree

MAX_FACTORIAL = 100
MAX_EXPONENT = 400
ROUNDING = 1e-9
Values = Mapping[str, complex]
Node = Callable[[Values], complex]
ANGLE_FUNCTIONS = frozenset("sin cos tan cot sec csc".split())
FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "cot": lambda x: 1 / cmath.tan(x), "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x), "ln": cmath.log, "exp": cmath.exp, "abs": abs, "degree": lambda x: x,
    "floor": lambda x: float(math.floor(x.real + ROUNDING)), "ceiling": lambda x: float(math.ceil(x.real - ROUNDING)),
    "factorial": lambda x: float(math.factorial(_whole(x))),
}  # fmt: skip


def node_of(tree: Tree) -> Node:
    """The function from the letters' values to the tree's. Raises NotFormula for what has no such value."""
    kind = tree[0]
    if kind == "number":
        return _constant(tree[1])
    if kind == "symbol":
        return _symbol(tree[1])
    if kind == "call":
        return _call(tree[1], tree[2:])
    if kind == "negative":
        inner = node_of(tree[1])
        return lambda values: -inner(values)
    if kind == "power":
        return _power(tree[1], tree[2])
    if kind not in ("add", "mul", "divide"):
        raise NotFormula(kind)
    one, other = node_of(tree[1]), node_of(tree[2])
    if kind == "add":
        return lambda values: one(values) + other(values)
    if kind == "mul":
        return lambda values: one(values) * other(values)
    return lambda values: one(values) / other(values)


def has_degrees(tree: Tree) -> bool:
    """Whether a degree sign stands in it."""
    return tree[:2] == ("call", "degree") or any(isinstance(part, tuple) and has_degrees(part) for part in tree)


def _constant(number: Fraction) -> Node:
    try:
        value = float(number)
    except OverflowError as error:
        raise NotFormula("a number too large") from error
    return lambda _: value


def _symbol(name: str) -> Node:
    if name in ("i", "pi"):
        value = 1j if name == "i" else complex(math.pi)
        return lambda _: value
    return lambda values: values[name]


def _call(name: str, arguments: tuple[Tree, ...]) -> Node:
    if name == "binomial":
        top, bottom = map(node_of, arguments)
        return lambda values: float(math.comb(_whole(top(values)), _whole(bottom(values))))
    if name not in FUNCTIONS:
        raise NotFormula(name)
    function, argument = FUNCTIONS[name], node_of(arguments[0])
    if name in ANGLE_FUNCTIONS and has_degrees(arguments[0]):
        return lambda values: function(argument(values) * math.pi / 180)
    return lambda values: function(complex(argument(values)))


def _power(base: Tree, exponent: Tree) -> Node:
    """A root of odd degree of a negative number is negative."""
    one, other = node_of(base), node_of(exponent)
    degree = (
        exponent[2][1] if exponent[0] == "divide" and exponent[1] == ("number", 1) and exponent[2][0] == "number" else 0
    )
    is_odd_root = degree % 2 == 1

    def node(values: Values) -> complex:
        value, power = complex(one(values)), complex(other(values))
        if abs(power) > MAX_EXPONENT:
            raise NotFormula(f"to the power of {power}")
        if is_odd_root and abs(value.imag) < 1e-12 and value.real < 0:
            return complex(-((-value.real) ** power.real))
        return value**power

    return node


def _whole(value: complex) -> int:
    value = complex(value)
    if (
        abs(value.imag) > ROUNDING
        or abs(value.real - round(value.real)) > ROUNDING
        or not 0 <= value.real <= MAX_FACTORIAL
    ):
        raise NotFormula(f"{value} is no whole number from 0 to {MAX_FACTORIAL}")
    return round(value.real)
