r"""Reading a normalised LaTeX answer as a formula: a tree of tuples, by recursive descent.

    read_formula(r"2x^{2}-\frac{1}{3}")
    -> ("add", ("mul", ("number", 2), ("power", ("symbol", "x"), ("number", 2))), ("negative", ("divide", ...)))

Side by side is a product; letters are symbols of one letter with an index; `i` and `e` are left to the evaluation.
What is no plain formula (sums, integrals, relations, lists, words) raises Unreadable. Nothing is evaluated here.
"""

import functools
from fractions import Fraction
from typing import Any

from stages.grading.formula_tokens import FormulaTokens, Unreadable

Tree = tuple[Any, ...]
MAX_NESTING = 25  # of brackets, each some ten Python frames

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan arccot asin acos atan sinh cosh tanh arcsinh arccosh arctanh ln log lg exp".split()
)
LISTED = frozenset("gcd lcm max min".split())
GREEK = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau upsilon phi varphi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar".split()
)
BOUND = frozenset("sum prod int lim".split())
CLOSING = {"(": ")", "[": "]", "{": "}"}
STARTS = frozenset("([{")


@functools.lru_cache(maxsize=4096)
def read_formula(text: str) -> Tree:
    """The tree of a whole answer. Raises Unreadable."""
    return _Reader(text).whole()


class _Reader(FormulaTokens):
    def whole(self) -> Tree:
        tree = self.sum()
        if self.take("command", "choose"):
            tree = ("call", "binomial", tree, self.sum())
        self.expect("end", "")
        return tree

    def sum(self) -> Tree:
        tree = self.product()
        while self.peek() in (("mark", "+"), ("mark", "-")):
            sign = self.next()[1]
            right = self.product()
            tree = ("add", tree, right if sign == "+" else ("negative", right))
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while True:
            if self.take("mark", "*") or self.take("command", "cdot", "times", "ast"):
                tree = ("mul", tree, self.signed())
            elif self.take("mark", "/") or self.take("command", "div"):
                tree = ("divide", tree, self.signed())
            elif self.starts_factor():
                tree = ("mul", tree, self.power())
            else:
                return tree

    def starts_factor(self) -> bool:
        kind, text = self.peek()
        if kind == "number":
            return self.tokens[self.place - 1][0] != "number"
        if kind == "mark":
            return text in STARTS or (text == "|" and not self.bars)
        return kind in ("command", "name") and text not in ("rfloor", "rceil", "choose", "cdot", "times", "rvert")

    def signed(self) -> Tree:
        if self.take("mark", "-"):
            return ("negative", self.signed())
        return self.signed() if self.take("mark", "+") else self.power()

    def power(self) -> Tree:
        tree = self.atom()
        while True:
            if self.peek() in (("mark", "^"), ("mark", "**")):
                self.next()
                tree = ("power", tree, self.exponent())
            elif self.take("mark", "!"):
                if self.peek() == ("mark", "!"):
                    raise Unreadable("!!")
                tree = ("call", "factorial", tree)
            elif self.take("command", "degree"):
                tree = ("call", "degree", tree)
            else:
                return tree

    def exponent(self) -> Tree:
        """`{n}`, `(n)`, `-1`, `10`, `x`, `\\frac{1}{2}`: one signed atom, and a power of it."""
        if self.take("mark", "-"):
            return ("negative", self.exponent())
        self.take("mark", "+")
        tree = self.atom(is_exponent=True)
        if self.peek() in (("mark", "^"), ("mark", "**")):
            self.next()
            return ("power", tree, self.exponent())
        return tree

    def atom(self, is_exponent: bool = False) -> Tree:
        kind, text = self.next()
        if kind == "number":
            return self.mixed(text) if not is_exponent else ("number", Fraction(text))
        if kind == "mark" and text in STARTS:
            return self.group(text)
        if kind == "mark" and text == "|":
            self.bars += 1
            inner = self.sum()
            self.bars -= 1
            self.expect("mark", "|")
            return ("call", "abs", inner)
        if kind in ("command", "name"):
            return self.named(kind, text)
        raise Unreadable(text)

    def mixed(self, digits: str) -> Tree:
        """A number, with the proper fraction of digits that follows it added: `2\\frac{1}{2}` is five halves."""
        whole = Fraction(digits)
        after = [text for _, text in self.tokens[self.place : self.place + 7]]
        if (
            "." in digits
            or len(after) < 7
            or [after[0], after[1], after[3], after[4], after[6]] != ["frac", "{", "}", "{", "}"]
        ):
            return ("number", whole)
        top, bottom = after[2], after[5]
        if not (top.isdigit() and bottom.isdigit() and 0 < int(top) < int(bottom)):
            return ("number", whole)
        self.place += 7
        return ("number", whole + Fraction(int(top), int(bottom)))

    def group(self, opening: str) -> Tree:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable("too deep")
        tree = self.sum()
        if self.take("command", "choose"):
            tree = ("call", "binomial", tree, self.sum())
        self.expect("mark", CLOSING[opening])
        self.depth -= 1
        return tree

    def braced(self) -> Tree:
        """The argument of a command: a group, or one token."""
        if self.take("mark", "{"):
            return self.group("{")
        return self.atom(is_exponent=True)

    def named(self, kind: str, text: str) -> Tree:
        if text == "frac":
            return ("divide", self.braced(), self.braced())
        if text == "binom":
            return ("call", "binomial", self.braced(), self.braced())
        if text == "sqrt":
            return self.root()
        if text in FUNCTIONS:
            return self.function(text)
        if text in LISTED:
            return self.listed(text)
        if text in BOUND:
            return self.bound(text)
        if text in ("lfloor", "lceil", "lvert"):
            inner = self.sum()
            self.expect("command", f"r{text[1:]}")
            return ("call", {"lfloor": "floor", "lceil": "ceiling", "lvert": "abs"}[text], inner)
        if text == "pi" or text in GREEK or (kind == "name" and len(text) == 1):
            return self.symbol(text)
        raise Unreadable(text)

    def root(self) -> Tree:
        degree: Tree = ("number", Fraction(2))
        if self.take("mark", "["):
            degree = self.group("[")
        return ("power", self.braced(), ("divide", ("number", Fraction(1)), degree))

    def function(self, name: str) -> Tree:
        """`\\sin^2x`, `\\log_28`, `\\sin(x)y`, `\\sin2x\\cos x`: the bracket, else the product up to the next function."""
        base: Tree | None = None
        exponent: Tree | None = None
        if self.take("mark", "_"):
            base = self.base()
        if self.take("mark", "^"):
            exponent = self.exponent()
        if self.peek() in (("mark", "("), ("mark", "{"), ("mark", "[")):
            argument = self.group(self.next()[1])
        else:
            argument = self.argument()
        return self.applied(name, argument, base, exponent)

    def base(self) -> Tree:
        """The base of a logarithm: a group, or one token; of digits that end a formula the first, as in TeX."""
        kind, text = self.peek()
        if kind == "number" and text.isdigit() and len(text) > 1 and self.tokens[self.place + 1][0] == "end":
            self.tokens[self.place : self.place + 1] = [("number", text[0]), ("number", text[1:])]
        return self.braced()

    def argument(self) -> Tree:
        tree = self.signed()
        while self.starts_factor() and self.peek()[1] not in FUNCTIONS and self.peek()[1] != "(":
            tree = ("mul", tree, self.power())
        return tree

    def applied(self, name: str, argument: Tree, base: Tree | None, exponent: Tree | None) -> Tree:
        if base is not None:
            tree: Tree = ("divide", ("call", "ln", argument), ("call", "ln", base))
        elif exponent == ("negative", ("number", Fraction(1))) and name in (
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
        ):
            return ("call", f"arc{name}", argument)
        else:
            tree = ("call", name, argument)
        return tree if exponent is None else ("power", tree, exponent)

    def listed(self, name: str) -> Tree:
        self.expect("mark", "(")
        arguments = [self.sum()]
        while self.take("mark", ","):
            arguments.append(self.sum())
        self.expect("mark", ")")
        return ("call", name, *arguments)

    def bound(self, name: str) -> Tree:
        """`\\sum_{k=1}^{n}k^2`: its index, its bounds and its body, not computed."""
        parts: list[Tree] = []
        for mark in "_^":
            if self.take("mark", mark):
                parts += self.bounds()
        return ("bound", name, *parts, self.product())

    def bounds(self) -> list[Tree]:
        if not self.take("mark", "{"):
            return [self.atom(is_exponent=True)]
        parts = [self.sum()]
        if self.take("mark", "=") or self.take("command", "to"):
            parts.append(self.sum())
        self.expect("mark", "}")
        return parts

    def symbol(self, name: str) -> Tree:
        """A letter with its index and primes; f and g before a bracket are functions."""
        if self.take("mark", "_"):
            start = self.place
            self.braced()
            name += "_" + "".join(text for _, text in self.tokens[start : self.place]).strip("{}")
        while self.take("mark", "'"):
            name += "'"
        if name[0] in "fg" and self.peek() == ("mark", "("):
            self.next()
            return ("apply", name, self.group("("))
        return ("symbol", name)
