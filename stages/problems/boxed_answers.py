r"""The boxes of a text, each a balanced `\boxed{...}`, found in one pass whatever braces are open.

boxes_in(r"\boxed{1} is not \boxed{2}")[1]  -> Box(text, start=17, inside=24, end=26), of the content "2"
"""

import re
from dataclasses import dataclass

OPENING = r"\\boxed\s*\{"
BRACE = re.compile(rf"{OPENING}|[{{}}]")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box of a text begins, where its content begins, and where the box ends."""

    text: str
    start: int
    inside: int
    end: int

    @property
    def content(self) -> str:
        return self.text[self.inside : self.end - 1]


def boxes_in(text: str) -> list[Box]:
    """The boxes in the order in which they begin, one in another as well; a box that is not closed is none."""
    boxes: list[Box] = []
    opened: list[re.Match[str]] = []
    for brace in BRACE.finditer(text):
        if brace[0] != "}":
            opened.append(brace)
        elif opened and (first := opened.pop())[0] != "{":
            boxes.append(Box(text, first.start(), first.end(), brace.end()))
    return sorted(boxes, key=lambda box: box.start)
