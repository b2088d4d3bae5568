r"""Answers with parts: intervals, tuples, sets, lists, matrices, plus-minus, assignments.

    split_top("(1,2),(3,4)")            -> ["(1,2)", "(3,4)"]
    parts_of(r"\{1,2\}")                -> Parts("{", "}", ["1", "2"])
    values_of(r"1\pm\sqrt{19}")         -> [r"1+\sqrt{19}", r"1-\sqrt{19}"]

Brackets tell (0,1) from [0,1]; the order counts inside brackets, and not in sets and bare lists.
"""

import re
from dataclasses import dataclass

OPEN, CLOSE = "([{", ")]}"
MAX_SIGNS = 3
MATRIX = re.compile(r"\(?\\begin\{pmatrix\}(.*)\\end\{pmatrix\}\)?", re.DOTALL)
ASSIGNED = re.compile(
    r"(?:[a-zA-Z](?:_(?:\{[^{}]*\}|\w))?'?|\\[a-zA-Z]+(?:_(?:\{[^{}]*\}|\w))?|[a-zA-Z](?:\^\{-1\}|'+)?\([^()=]*\)|\\frac\{d(?:\^\{\d\})?[a-zA-Z]\}\{d[a-zA-Z](?:\^\{\d\})?\}|d[a-z]/d[a-z]|\\frac\{[A-Z]+\}\{[A-Z]+\}|[A-Z]+/[A-Z]+|m?\\(?:angle|triangle)\s?[A-Z]+|[A-Z]{1,5}|\|[^|=]*\||[^=<>]*:[^=<>]*)(?:=|\\in(?![a-z]))(?=.)"
)
NAMED = re.compile(r"[a-zA-Z](?:_(?:\{[^{}]*\}|\w))?|\\[a-zA-Z]+|[a-zA-Z]\([a-z]\)")
DECIMAL = re.compile(r"-?\d*\.\d+")
APPROXIMATELY = re.compile(r"\\(?:approx|simeq|sim|cong)(?![a-z])")


@dataclass(frozen=True)
class Parts:
    opening: str
    closing: str
    items: list[str]


def split_top(text: str, separators: str = ",;") -> list[str]:
    """Split at separators outside every bracket."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ("{", "}"):
            depth += 1 if text[position + 1] == "{" else -1
            position += 2
            continue
        depth += (character in OPEN) - (character in CLOSE)
        if character in separators and depth <= 0:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    parts.append(text[start:])
    return [part for part in parts if part]


def parts_of(text: str) -> Parts | None:
    """The brackets around a whole answer and what they hold; None if the outer brackets are not one pair."""
    if text.startswith("\\{") and text.endswith("\\}"):
        inner, marks = text[2:-2], ("{", "}")
    elif len(text) >= 2 and text[0] in OPEN and text[-1] in CLOSE and not text.endswith("\\}"):
        inner, marks = text[1:-1], (text[0], text[-1])
    else:
        return None
    depth = 0
    for character in inner.replace("\\{", "{").replace("\\}", "}"):
        depth += (character in OPEN) - (character in CLOSE)
        if depth < 0:
            return None
    return Parts(*marks, split_top(inner)) if depth == 0 else None


def matrix_rows(text: str) -> list[list[str]] | None:
    found = MATRIX.fullmatch(text)
    if not found or "\\begin" in found[1]:
        return None
    rows = [row for row in found[1].split("\\\\") if row]
    return [row.split("&") for row in rows]


def values_of(text: str) -> list[str]:
    r"""A list's values, `\pm` written out; a single answer is a list of one."""
    values = []
    for part in split_top(text):
        signs = part.replace("\\mp", "\\pm").count("\\pm")
        if 0 < signs <= MAX_SIGNS:
            values += _signed(part, signs)
        else:
            values.append(part)
    return values


def _signed(text: str, signs: int) -> list[str]:
    """Every choice of signs; `\\mp` beside one `\\pm` has the other sign."""
    if "\\mp" in text and signs == 2:
        choices = [text.replace("\\pm", "+").replace("\\mp", "-"), text.replace("\\pm", "-").replace("\\mp", "+")]
    else:
        choices = [text.replace("\\mp", "\\pm")]
        for _ in range(signs):
            choices = [choice.replace("\\pm", sign, 1) for choice in choices for sign in "+-"]
    return [re.sub(r"(^|=)\+", r"\1", choice) for choice in choices]


def ratio_of(text: str) -> list[str] | None:
    """The parts of a ratio `3:4`, after a name and its sign if one stands there; None for anything else."""
    parts = text.rpartition("=")[2].split(":")
    return parts if len(parts) > 1 and all(parts) else None


def without_assignment(text: str) -> str:
    r"""`x=5` and `x\in[0,1)` without the name; what stands right of the last sign of a chain, left of an approximation."""
    exact, *approximate = APPROXIMATELY.split(text)
    is_rounded = DECIMAL.fullmatch(exact) and not DECIMAL.fullmatch(approximate[0]) if approximate else False
    text = approximate[0] if approximate and (not exact or NAMED.fullmatch(exact) or is_rounded) else exact
    found = ASSIGNED.match(text)
    if not found and text.count("=") > 1 and not re.search(r"[<>,]", text):
        return text.rpartition("=")[2] or text
    if not found:
        return text
    rest = text[found.end() :]
    return rest.rpartition("=")[2] or rest if "=" in rest and not re.search(r"[<>]|\\[lgn]e(?![a-z])|,", rest) else rest
