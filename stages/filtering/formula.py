r"""A formula of a text: the graders' tree of it, and what the filter asks of a tree.

    read_formula(r"\frac{x^2 - 1}{2} + \sqrt{3}") -> Formula(names={"x"}, ...)
    formula.value({"x": 3})                       -> 5.732...

What has no one value (a sum over an index, a base, a function that is not defined, "plus or minus") is no formula here.
"""

import cmath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from stages.filtering.complex_values import ANGLE_FUNCTIONS, Node, Values, has_degrees, node_of
from stages.filtering.notation import NotFormula, function_symbol, reader_notation
from stages.grading.formula_reader import Tree
from stages.grading.formula_reader import read_formula as read_tree

MAX_VALUE = 1e15
DECIMALS = re.compile(r"\d\.\d")
MAX_NODES = 1000  # a formula whose functions are written out
CONSTANTS = frozenset(("i", "pi"))
LETTER = re.compile(r"[a-zA-Z]+(?:_\w+)?")


@dataclass(frozen=True)
class Function:
    """f(x) = x^2: its argument's name and what it is."""

    argument: str
    tree: Tree


Functions = Mapping[str, Function]


@dataclass(frozen=True)
class Formula:
    text: str
    tree: Tree
    node: Node
    names: frozenset[str]  # its letters, as `x`, `x_1` and `alpha`
    has_decimals: bool

    @property
    def angles(self) -> frozenset[str]:
        """The letters in angles without a degree sign."""
        angles = (part[2] for part in _parts(self.tree) if part[0] == "call" and part[1] in ANGLE_FUNCTIONS)
        return frozenset().union(*(_names(angle) for angle in angles if not has_degrees(angle)))

    @property
    def has_degrees(self) -> bool:
        return has_degrees(self.tree)

    @property
    def is_lone(self) -> bool:
        """A number, with a sign perhaps."""
        return (self.tree[1] if self.tree[0] == "negative" else self.tree)[0] == "number"

    @property
    def is_name(self) -> bool:
        """One letter."""
        return self.tree[0] == "symbol" and self.tree[1] not in CONSTANTS

    @property
    def is_polynomial(self) -> bool:
        """In its letters: none in an exponent, a divisor or a function's argument, and none under a root."""
        return not any(_names(inner) for part in _parts(self.tree) for inner in _not_polynomial(part))

    def value(self, values: Values) -> complex:
        """Raises NotFormula where it has none: a division by zero, a number too large."""
        try:
            value = self.node(values)
        except (ArithmeticError, ValueError) as error:
            raise NotFormula(self.text) from error
        if not (cmath.isfinite(value) and abs(value) < MAX_VALUE):
            raise NotFormula(self.text)
        return value


def read_formula(text: str, functions: Functions | None = None) -> Formula:
    """Raises NotFormula; a function by name is one unless `functions` defines it."""
    formula = _read(text, functions) if functions else _read_alone(text)
    if formula is None:
        raise NotFormula(text)
    return formula


def real_value(answer: str) -> float | None:
    """The real number that an answer is, in a formula with or without a unit."""
    try:
        formula = read_formula(answer.replace("\\$", "").replace("\\%", "").replace("%", "").strip("$ "))
        value = formula.value({})
    except (NotFormula, KeyError):
        return None
    return value.real if abs(complex(value).imag) < 1e-9 else None


@lru_cache(maxsize=4096)
def _read_alone(text: str) -> Formula | None:
    """Kept: a problem and its solution repeat what they write."""
    return _read(text, {})


def _read(text: str, functions: Functions) -> Formula | None:
    try:
        written = reader_notation(text, functions)
        tree = read_tree(written)
        if functions:
            tree = _written_out(tree, {function_symbol(letter): function for letter, function in functions.items()})
        parts = list(islice(_parts(tree), MAX_NODES))
        names = frozenset(part[1] for part in parts if part[0] == "symbol") - CONSTANTS
        if len(parts) == MAX_NODES or not all(map(LETTER.fullmatch, names)):
            return None
        return Formula(text.strip(" &\n"), tree, node_of(tree), names, DECIMALS.search(written) is not None)
    except (NotFormula, ValueError, RecursionError):  # of the reader: Unreadable, or a number of too many digits
        return None


def _written_out(tree: Tree, functions: Functions) -> Tree:
    """With the formulas of the functions in the place of their names."""
    if tree[0] == "apply":
        if tree[1] not in functions:
            raise NotFormula(tree[1])
        function, argument = functions[tree[1]], _written_out(tree[2], functions)
        return _put(function.tree, ("symbol", function.argument), argument)
    return tuple(_written_out(part, functions) if isinstance(part, tuple) else part for part in tree)


def _put(tree: Tree, symbol: Tree, value: Tree) -> Tree:
    if tree == symbol:
        return value
    return tuple(_put(part, symbol, value) if isinstance(part, tuple) else part for part in tree)


def _parts(tree: Tree) -> Iterator[Tree]:
    """The tree and all trees in it."""
    yield tree
    for part in tree[1:]:
        if isinstance(part, tuple):
            yield from _parts(part)


def _names(tree: Tree) -> frozenset[str]:
    return frozenset(part[1] for part in _parts(tree) if part[0] == "symbol") - CONSTANTS


def _not_polynomial(tree: Tree) -> Tree:
    """The parts of a tree in which a letter makes it no polynomial."""
    kind = tree[0]
    if kind == "power":
        return tree[1:] if tree[2][0] != "number" else ()
    return tree[2:] if kind in ("divide", "call") and tree[1] != "degree" else ()
