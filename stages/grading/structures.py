r"""Answers with parts: intervals, tuples, sets, lists, matrices, plus-minus, assignments.

    split_top("(1,2),(3,4)")            -> ["(1,2)", "(3,4)"]
    parts_of(r"\{1,2\}")                -> Parts("{", "}", ["1", "2"])
    values_of(r"1\pm\sqrt{19}")         -> [r"1+\sqrt{19}", r"1-\sqrt{19}"]

Brackets tell (0,1) from [0,1]; the order counts inside brackets, and not in sets and bare lists.
"""

import re
from dataclasses import dataclass

OPEN, CLOSE = "([{", ")]}"
MATRIX = re.compile(r"\(?\\begin\{pmatrix\}(.*)\\end\{pmatrix\}\)?", re.DOTALL)
ASSIGNED = re.compile(
    r"(?:[a-zA-Z](?:_(?:\{[^{}]*\}|\w))?'?|\\[a-zA-Z]+(?:_(?:\{[^{}]*\}|\w))?|[a-zA-Z]\([^()=]*\)|[A-Z]{1,5}|\|[^|=]*\||[^=<>]*:[^=<>]*)(?:=|\\in(?![a-z]))(?=.)"
)
BOUNDS = re.compile(r"([^<>]+?)(<|\\le)([^<>]*?[a-zA-Z][^<>]*?)(<|\\le)([^<>]+)")
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
        if part.count("\\pm") == 1:
            values += [part.replace("\\pm", "+").removeprefix("+"), part.replace("\\pm", "-")]
        else:
            values.append(part)
    return values


def without_assignment(text: str) -> str:
    r"""`x=5` and `x\in[0,1)` without the name; what stands right of the last sign of a chain, left of an approximation."""
    text = APPROXIMATELY.split(text)[0] or text
    found = ASSIGNED.match(text)
    if not found and text.count("=") > 1 and not re.search(r"[<>,]", text):
        return text.rpartition("=")[2] or text
    if not found:
        return text
    rest = text[found.end() :]
    return rest.rpartition("=")[2] or rest if "=" in rest and not re.search(r"[<>]|\\[lgn]e(?![a-z])|,", rest) else rest


def bounds_as_interval(text: str) -> str | None:
    r"""`-2\le x<7` as `[-2,7)`; None for anything else."""
    found = BOUNDS.fullmatch(text)
    if not found or re.search(r"[a-zA-Z]", found[1].replace("\\frac", "").replace("\\infty", "").replace("\\sqrt", "")):
        return None
    return (
        f"{'[' if found[2] == chr(92) + 'le' else '('}{found[1]},{found[5]}{']' if found[4] == chr(92) + 'le' else ')'}"
    )
