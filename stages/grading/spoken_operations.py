r"""Operations in words or in school's short forms, as LaTeX: powers, sums, fractions, combinations.

in_signs("5 squared")      -> "5^{2}"
in_signs("5 out of 6")     -> "5/6"
in_signs("{}_5C_2")        -> r"\binom{5}{2}"
in_signs("5 and a half")   -> r"5\frac{1}{2}"
"""

import math
import re

_BLOCK = r"\\(?:text|mbox|mathrm|textrm)\s*\{\s*"
_NUMBER = r"-?\d+(?:\.\d+)?"
AFTER = {"squared": "^{2}", "cubed": "^{3}", "factorial": "!", "below zero": "", "and a half": r"\frac{1}{2}"}
RAISED = re.compile(rf"\s*({_NUMBER})\s*(?:{_BLOCK})?\s*({'|'.join(AFTER)})\s*\}}?[\s.]*")
BETWEEN = {
    "plus": "+", "minus": "-", "times": r"\cdot ", "multiplied by": r"\cdot ", "over": "/", "divided by": "/", "out of": "/", "to": ":",
}  # fmt: skip
BINARY = re.compile(rf"\s*({_NUMBER})\s*(?:{_BLOCK})?\s*\b({'|'.join(BETWEEN)})\b\s*\}}?\s*({_NUMBER})[\s.]*")
DOUBLE_FACTORIAL = re.compile(r"\s*(\d{1,2})\s*!!\s*")
_SCRIPT = r"\s*(?:\{\s*(\w+)\s*\}|(\w))\s*"
CHOSEN = re.compile(rf"(?:\{{\s*\}}\s*)?[_^]{_SCRIPT}(?:{_BLOCK}([CP])\s*\}}|([CP]))\s*_{_SCRIPT}")
CHOSEN_SHORT = re.compile(
    r"(?<![\w.])(\d{1,3})\s?([CP])\s?(\d{1,3})(?![\w.])|(?<![\w\\])(C)\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)"
)


def in_signs(text: str) -> str:
    """The text with signs for its operations; what has none stays as it is."""
    if found := RAISED.fullmatch(text):
        number = f"-{found[1]}" if found[2] == "below zero" else found[1]
        return (
            f"({number}){AFTER[found[2]]}"
            if number[0] == "-" and found[2] != "and a half"
            else number + AFTER[found[2]]
        )
    if found := BINARY.fullmatch(text):
        return f"{found[1]}{BETWEEN[found[2]]}{found[3]}"
    if found := DOUBLE_FACTORIAL.fullmatch(text):
        return str(math.prod(range(int(found[1]), 0, -2)))
    if "C" not in text and "P" not in text:
        return text
    text = CHOSEN.sub(lambda m: _chosen(m[3] or m[4], m[1] or m[2], m[5] or m[6]), text)
    return CHOSEN_SHORT.sub(lambda m: _chosen(m[2] or m[4], m[1] or m[5], m[3] or m[6]), text)


def _chosen(kind: str, total: str, part: str) -> str:
    """Combinations or permutations."""
    return f"\\binom{{{total}}}{{{part}}}" if kind == "C" else f"\\frac{{{total}!}}{{({total}-{part})!}}"
