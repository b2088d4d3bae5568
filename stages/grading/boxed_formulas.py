r"""The formula that a box is a part of: a factor, a summand, a coordinate, an end of an interval, with its base.

    whole_formula(r"$5 - \boxed{3}$", [Box(5, 14, "3")])  -> "5 - 3"

A box before or after `=` is the answer alone: `3\times\boxed{4}=12` says 4.
"""

import re
from dataclasses import dataclass

from stages.grading.exact_numbers import has_index
from stages.grading.formula_reader import read_formula
from stages.grading.formula_tokens import Unreadable
from stages.grading.normalization import normalize
from stages.grading.relations import RELATION, as_pieces
from stages.grading.structures import parts_of, ratio_of, split_top

START = re.compile(
    r"\$|\\\[|\\\(|&|\\\\|(?<!\\)=|\\(?:implies|Rightarrow|to|approx|quad|qquad)(?![a-zA-Z])|\\(?:text|mbox)\s*\{[^{}]*\}|\n"
)
END = re.compile(
    r"\$|\\\]|\\\)|\n|&|\\\\|=|\\(?:text|mbox|mathrm|implies|Rightarrow|to|approx|quad|qquad|pmod)(?![a-zA-Z])"
)
CONTINUED = re.compile(r"\s*\\(?:text|mbox)\s*\{\s*(?:or|and)\s*\}\s*([^$=\\{}]{1,40}?)\s*(?=\$|\\\]|\\\))")
NO_FACTOR = re.compile(r"_\s*\{?\s*$")  # an index
FIRST_MARK = 0xE000  # one character of Unicode's private use stands for a box
MAX_BOXES = 6400
MAX_CHARS = 300
SUM = re.compile(r"(?<=.)[-+]")


@dataclass(frozen=True)
class Box:
    start: int
    end: int
    content: str


def whole_formula(text: str, boxes: list[Box]) -> str:
    """The side of the formula around the last box, with the boxes in it; "" where that is no formula, or the box alone."""
    if len(boxes) > MAX_BOXES:
        return ""
    marked, place = _marked(text, boxes)
    end = END.search(marked, place, place + MAX_CHARS)
    starts = list(START.finditer(marked, max(0, place - MAX_CHARS), place))
    if not end or end[0] == "=" or not starts or starts[-1][0] == "\n":
        return ""
    before, after = marked[starts[-1].end() : place], marked[place + 1 : end.start()].rstrip(" .,;")
    others = re.sub(r"[\s,;\ue000-\uf8ff]", "", before + after)
    continued = CONTINUED.match(marked, place + 1)
    if continued and not others:
        return f"{boxes[-1].content}, {continued[1]}"
    if not others or NO_FACTOR.search(before) or (before.rstrip()[-1:].isdigit() and boxes[-1].content[:1].isdigit()):
        return ""
    formula = re.sub(
        r"[\ue000-\uf8ff]", lambda mark: _held(boxes[ord(mark[0]) - FIRST_MARK]), before + marked[place] + after
    )
    return formula.strip() if _is_formula(normalize(formula)) else ""


def _marked(text: str, boxes: list[Box]) -> tuple[str, int]:
    """The text with one character for each box, and the place of the last."""
    pieces, at = [], 0
    for number, box in enumerate(boxes):
        pieces += [text[at : box.start], chr(FIRST_MARK + number)]
        at = box.end
    return "".join(pieces) + text[at:], sum(map(len, pieces)) - 1


def _held(box: Box) -> str:
    content = box.content.strip()
    return f"({content})" if SUM.search(content) and "," not in content else content


def _is_formula(text: str) -> bool:
    if has_index(text) or (RELATION.search(text) and as_pieces(text)):
        return True
    held = parts_of(text)
    parts = ratio_of(text) or (held.items if held else split_top(text))
    try:
        return all(read_formula(part) for part in parts)
    except (Unreadable, RecursionError):
        return False
