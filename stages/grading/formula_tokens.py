r"""The tokens of a normalised LaTeX answer, and the place in them at which a reader stands.

FormulaTokens(r"2x^{2}").tokens  -> [("number", "2"), ("name", "x"), ("mark", "^"), ("mark", "{"), ("number", "2"), ...]
"""

import re

MAX_TOKENS = 400

NAMES = "arcsinh|arccosh|arctanh|arcsin|arccos|arctan|arccot|asin|acos|atan|sinh|cosh|tanh|sqrt|sin|cos|tan|cot|sec|csc|log|exp|ln|lg|pi|binom"
TOKEN = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+(?![\d.]))?)|\\(?P<command>[a-zA-Z]+) ?|(?P<name>{NAMES}|[a-zA-Z])"
    r"|(?P<mark>\*\*|\\[{}|]|[-+*/^_!()\[\]{}|,'=])|(?P<other>.)",
    re.DOTALL,
)


class Unreadable(ValueError):
    """The text is no formula that this reader knows."""


class FormulaTokens:
    """Tokens of the kinds number, command, name and mark, each with its text; the last is ("end", "")."""

    def __init__(self, text: str) -> None:
        self.tokens = [(str(m.lastgroup), m[m.lastgroup]) for m in TOKEN.finditer(text)]  # type: ignore[index]
        if len(self.tokens) > MAX_TOKENS or any(kind == "other" for kind, _ in self.tokens):
            raise Unreadable(text)
        self.tokens.append(("end", ""))
        self.place = self.depth = self.bars = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.place]

    def next(self) -> tuple[str, str]:
        token = self.tokens[self.place]
        self.place += 1
        return token

    def take(self, kind: str, *texts: str) -> bool:
        found = self.peek()[0] == kind and self.peek()[1] in texts
        self.place += found
        return found

    def expect(self, kind: str, text: str) -> None:
        if self.next() != (kind, text):
            raise Unreadable(text)
