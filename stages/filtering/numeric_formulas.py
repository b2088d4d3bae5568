r"""Formulas in LaTeX or plain notation, read for their numeric value; nothing is evaluated as Python.

    read_formula(r"\frac{x^2 - 1}{2} + \sqrt{3}") -> Formula(names={"x"}, ...)
    formula.value({"x": 3})                       -> 5.732...

`i` is the imaginary unit. What has no one value (sums over an index, functions by name, bases, ellipses, "plus or minus")
is no formula here. Values are complex double numbers: callers compare them with a tolerance.
"""

import cmath
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_TOKENS = 200
MAX_DEPTH = 30
MAX_FACTORIAL = 100
SPACES = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|q?quad|,|!|;|:|>)(?![a-zA-Z])|\\ |[\s~]|(?<=\d)\{,\}(?=\d{3})"
    r"|(?<=\d),(?=\d{3}(?!\d))|\\(?:text|mathrm|mbox|textrm)\s*\{[^{}\d]*\}(?:\s*\^\s*(?:\{?\s*-?\d\s*\}?))?$|\\?\$|\*\*\s*$|&"
)
TOKEN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<circ>\^\{?\\circ\}?|°|\\degree)|(?P<power>\^|\*\*)"
    r"|(?P<times>\\cdot(?![a-zA-Z])|\\times(?![a-zA-Z])|[*×·⋅])|(?P<over>\\div(?![a-zA-Z])|[/÷])|(?P<sign>[-+−])"
    r"|(?P<open>\\\{|[({\[])|(?P<close>\\\}|[)}\]])|(?P<bar>\\[lr]vert(?![a-zA-Z])|\|)|(?P<floor>\\lfloor)|(?P<ceil>\\lceil)|(?P<end>\\r(?:floor|ceil))"
    r"|(?P<fraction>\\[dtc]?frac)|(?P<binomial>\\[dt]?binom)|(?P<root>\\sqrt|√)|(?P<pi>\\pi(?![a-zA-Z])|π)"
    r"|(?P<function>\\(?:sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|ln|exp)(?![a-zA-Z]))|(?P<log>\\log)|(?P<bang>!)"
    r"|(?P<name>\\(?:alpha|beta|gamma|delta|theta|phi|lambda|mu|omega|rho|sigma|tau|varphi)(?![a-zA-Z])|[a-zA-Z])|(?P<low>_)"
)
FUNCTION_NAMES = frozenset("fghFGHPQRTS")
CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}
FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "cot": lambda x: 1 / cmath.tan(x), "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x), "arcsin": cmath.asin, "arccos": cmath.acos, "arctan": cmath.atan, "ln": cmath.log, "exp": cmath.exp,
}  # fmt: skip
Values = Mapping[str, complex]
Node = Callable[[Values], complex]


class NotFormula(Exception):
    """A text that has no one value."""


@dataclass(frozen=True)
class Formula:
    text: str
    node: Node
    names: frozenset[str]
    has_decimals: bool
    num_operations: int
    is_lone: bool  # a number, with a sign perhaps
    is_name: bool  # one letter
    is_polynomial: bool  # in its letters

    def value(self, values: Values) -> complex:
        """Raises NotFormula where it has none: a division by zero, a number too large."""
        try:
            value = self.node(values)
        except (ArithmeticError, ValueError) as error:
            raise NotFormula from error
        if not (cmath.isfinite(value) and abs(value) < 1e15):
            raise NotFormula
        return value


@dataclass(frozen=True)
class Function:
    """f(x) = x^2: its argument's name and its formula."""

    argument: str
    formula: "Formula"


def read_formula(text: str, functions: Mapping[str, Function] | None = None) -> Formula:
    """Raises NotFormula; a function by name is one unless `functions` defines it."""
    if text.strip(" &\n") == "i":
        raise NotFormula  # an index, for most
    tokens = _tokens(SPACES.sub(lambda m: " " if m[0].strip() == "" else "", text.strip()).rstrip(" .;:"))
    reader = _Reader(tokens, functions or {})
    node = reader.sum()
    if reader.place != len(tokens):
        raise NotFormula
    kinds = [kind for kind, _ in tokens]
    operations = sum(kind in ("times", "over", "power", "fraction", "root", "binomial", "function", "log", "bang", "floor", "ceil") for kind in kinds)  # fmt: skip
    operations += kinds[1:].count("sign")
    is_lone = kinds in (["number"], ["sign", "number"])
    has_decimals = any(kind == "number" and "." in written for kind, written in tokens)
    is_name = kinds[:1] == ["name"] and (len(kinds) == 1 or (kinds[1] == "low" and reader.names and len(kinds) == 3))
    return Formula(
        text.strip(" &\n"),
        node,
        frozenset(reader.names),
        has_decimals,
        operations,
        is_lone,
        bool(is_name),
        reader.is_polynomial,
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        if text[place] == " ":
            place += 1
            is_split = len(tokens) > 0 and tokens[-1][0] == "number" and text[place].isdigit()
            if is_split and (len(tokens) == 1 or tokens[-2][0] not in ("power", "low")):
                raise NotFormula  # 1 2 is no number; sin^2 30 is one
            continue
        found = TOKEN.match(text, place)
        if not found or len(tokens) >= MAX_TOKENS:
            raise NotFormula
        tokens.append((found.lastgroup or "", found[0]))
        place = found.end()
    if not tokens:
        raise NotFormula
    return tokens


class _Reader:
    """Products before sums, powers first; neighbours are multiplied."""

    def __init__(self, tokens: list[tuple[str, str]], functions: Mapping[str, Function]) -> None:
        self.tokens, self.place, self.depth, self.functions = tokens, 0, 0, functions
        self.names: set[str] = set()
        self.degrees, self.inside, self.is_polynomial = 0, 0, True

    def kind(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.tokens[place][0] if place < len(self.tokens) else ""

    def take(self, kind: str = "") -> str:
        if self.place >= len(self.tokens) or (kind and self.kind() != kind):
            raise NotFormula
        self.place += 1
        return self.tokens[self.place - 1][1]

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotFormula
        node = self.product()
        while self.kind() == "sign":
            sign = 1 if self.take() == "+" else -1
            node = _plus(node, self.product(), sign)
        self.depth -= 1
        return node

    def within(self, read: Callable[[], Node]) -> Node:
        """What is read, in which a letter makes the whole no polynomial."""
        self.inside += 1
        node = read()
        self.inside -= 1
        return node

    def product(self) -> Node:
        node, last = self.factor(), self.tokens[self.place - 1][0]
        while True:
            if self.kind() in ("times", "over"):
                kind = self.take()
                is_over = kind in ("/", "÷", "\\div")
                node = _over(node, self.within(self.factor)) if is_over else _times(node, self.factor())
            elif self.kind() in ("number", "open", "fraction", "root", "pi", "function", "name", "log", "floor", "ceil", "binomial"):  # fmt: skip
                if (self.kind() == "number" and last != "close") or (last == "number" and self.kind() == "fraction"):
                    raise NotFormula  # x2; a mixed number
                node = _times(node, self.factor())
            else:
                return node
            last = self.tokens[self.place - 1][0]

    def factor(self) -> Node:
        if self.kind() == "sign":
            sign = self.take()
            node = self.factor()
            return node if sign == "+" else lambda values: -node(values)
        node = self.atom()
        while self.kind() in ("power", "circ", "bang"):
            kind = self.kind()
            self.take()
            if kind == "circ":
                self.degrees += 1
            else:
                node = _factorial(node) if kind == "bang" else _power(node, self.within(self.exponent))
        return node

    def exponent(self) -> Node:
        if self.kind() == "sign":
            sign = self.take()
            node = self.atom()
            return node if sign == "+" else lambda values: -node(values)
        if self.kind() == "number" and len(self.tokens[self.place][1]) > 1 and self.kind(1) in ("power", "name"):
            raise NotFormula  # 5^65^w
        return self.atom()

    def atom(self) -> Node:
        kind = self.kind()
        if kind == "number":
            number = float(self.take())
            if self.kind() == "low":
                raise NotFormula  # a base
            return lambda _: number
        if kind == "pi":
            self.take()
            return lambda _: math.pi
        if kind == "open":
            return self.bracketed()
        if kind in ("fraction", "binomial"):
            self.take()
            top = self.part()
            bottom = self.within(self.part)
            return _over(top, bottom) if kind == "fraction" else _binomial(top, bottom)
        if kind == "root":
            return self.root()
        if kind in ("floor", "ceil", "bar"):
            return self.enclosed(kind)
        if kind == "name":
            return self.name()
        if kind in ("function", "log"):
            return self.function()
        raise NotFormula

    def bracketed(self) -> Node:
        opening = self.take("open")
        node = self.sum()
        if self.take("close") != CLOSING[opening]:
            raise NotFormula
        return node

    def part(self) -> Node:
        r"""An argument in braces; `\frac12` and `\sqrt3` have one digit or letter for each."""
        if self.kind() == "open":
            return self.bracketed()
        if self.kind() == "number":
            written = self.take()
            if len(written) > 1:  # \frac12: the digits are one token
                self.place -= 1
                self.tokens[self.place : self.place + 1] = [("number", digit) for digit in written]
                self.place += 1
                written = written[0]
            digit = float(written)
            return lambda _: digit
        return self.name() if self.kind() == "name" else self._no_part()

    def _no_part(self) -> Node:
        if self.kind() == "pi":
            return self.atom()
        raise NotFormula

    def root(self) -> Node:
        self.take()
        degree: Node = lambda _: 2.0  # noqa: E731
        if self.kind() == "open" and self.tokens[self.place][1] == "[":
            degree = self.bracketed()
        return _root(self.within(self.part), degree)

    def enclosed(self, kind: str) -> Node:
        self.take()
        node = self.within(self.sum)
        self.take("bar" if kind == "bar" else "end")
        if kind == "bar":
            return lambda values: abs(node(values))
        rounded = math.floor if kind == "floor" else math.ceil
        return lambda values: float(rounded(node(values).real + (1e-9 if kind == "floor" else -1e-9)))

    def name(self) -> Node:
        name = self.take("name")
        if self.kind() == "low":
            self.take()
            if self.kind() == "open":
                self.take()
                name += f"_{self.take()}"
                self.take("close")
            else:
                name += f"_{self.take()}"
        elif self.kind() == "open" and self.tokens[self.place][1] == "(" and name in self.functions:
            return self.call(self.functions[name])
        elif self.kind() == "open" and self.tokens[self.place][1] == "(" and name in FUNCTION_NAMES:
            raise NotFormula
        elif self.kind() == "open" and self.kind(1) in ("number", "name") and self.kind(2) == "close":
            raise NotFormula  # p(2): a function or a product
        if name == "i":
            return lambda _: 1j
        self.names.add(name)
        self.is_polynomial = self.is_polynomial and not self.inside
        return lambda values: values[name]

    def call(self, function: Function) -> Node:
        given = self.bracketed()
        self.names |= function.formula.names - {function.argument}
        return lambda values: function.formula.node({**values, function.argument: given(values)})

    def function(self) -> Node:
        name = self.take().lstrip("\\")
        base: Node | None = None
        if name == "log":
            self.take("low")
            base = self.part()
        power: Node | None = None
        if self.kind() == "power":
            self.take()
            power = self.exponent()
            if self.tokens[self.place - 1][1] == "1":
                raise NotFormula  # the inverse function
        degrees = self.degrees
        argument = self.within(self.argument)
        scale = math.pi / 180 if self.degrees > degrees else 1.0
        if base is not None:
            return _logarithm(argument, base)
        function = FUNCTIONS[name]
        node: Node = lambda values: function(argument(values) * scale)  # noqa: E731
        return _power(node, power) if power else node

    def argument(self) -> Node:
        r"""Of a function without brackets: factors up to a sign, a dot or another function: `\sin 2x`."""
        node = self.factor()
        while self.kind() in ("name", "pi", "root"):
            node = _times(node, self.factor())
        return node


def _plus(one: Node, other: Node, sign: int) -> Node:
    return lambda values: one(values) + sign * other(values)


def _times(one: Node, other: Node) -> Node:
    return lambda values: one(values) * other(values)


def _over(one: Node, other: Node) -> Node:
    return lambda values: one(values) / other(values)


def _power(base: Node, exponent: Node) -> Node:
    def node(values: Values) -> complex:
        power = exponent(values)
        if abs(power) > 400:
            raise NotFormula
        return complex(base(values)) ** power

    return node


def _root(inner: Node, degree: Node) -> Node:
    def node(values: Values) -> complex:
        value, n = complex(inner(values)), degree(values).real
        if abs(value.imag) < 1e-12 and value.real < 0 and n % 2 == 1:
            return complex(-((-value.real) ** (1 / n)))
        return value ** (1 / n)

    return node


def _whole(value: complex) -> int:
    if abs(value.imag) > 1e-9 or abs(value.real - round(value.real)) > 1e-9 or not 0 <= value.real <= MAX_FACTORIAL:
        raise NotFormula
    return round(value.real)


def _factorial(node: Node) -> Node:
    return lambda values: float(math.factorial(_whole(complex(node(values)))))


def _binomial(top: Node, bottom: Node) -> Node:
    return lambda values: float(math.comb(_whole(complex(top(values))), _whole(complex(bottom(values)))))


def _logarithm(argument: Node, base: Node) -> Node:
    return lambda values: cmath.log(argument(values)) / cmath.log(base(values))
