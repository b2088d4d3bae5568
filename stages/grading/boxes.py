r"""The boxes of a response: the last one, with those that belong to it, and the formula that it stands in.

last_boxes(r"\boxed{1}, \boxed{2} and \boxed{3}")  -> "1, 2, 3"
last_boxes(r"$x = -\frac{\boxed{3}}{4}$")          -> r"-\frac{3}{4}"
last_boxes(r"$\boxed{12}\text{ cm}$")              -> "12"
"""

import re

from stages.grading.boxed_formulas import Box, whole_formula
from stages.grading.wrappers import closing

BOX = re.compile(r"(?:[\\/]|(?<![\\a-zA-Z]))(?:boxed|fbox|framebox)\s*\{")
BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s*(\\[dt]?frac\s*(?:\{[^{}]*\}|\d){2}|-?\d[\d,./]*(?<=\d)|(?<=\s)[^\s${}\\]+)")
BETWEEN_BOXES = re.compile(
    r"(?:\s|[,;.$]|\\[\[\]() ,;]|\\q?quad|\(?(?<![a-zA-Z])[a-h]\)|\\text\s*+\{\s*+,?+\s*+(?:and|or)?+\s*+,?+\s*+\}|\band(?:\s+also)?\b|\bor\b|\\\\|&|[a-zA-Z](?:_\w)?\s*=)*"
    r"|\s+[a-z]{2,}\s+(?:and|or)\s+(?:\$\s*)?"
)
PARAGRAPH = re.compile(r"\n\s*\n")
JOINED = re.compile(r",|\b(?:and|or)\b")
INDEXED = re.compile(r"_\s*\{?\s*$")
INDEX = re.compile(r"\s*_\s*(?:\{[^{}]*\}|\w)")
SIDE_START = re.compile(r"\$|\\\[|\\\(|\n|&|\\\\|(?<!\\)=|\\(?:implies|Rightarrow|to|approx)(?![a-zA-Z])")
SIDE_END = re.compile(
    r"\$|\\\]|\\\)|\n|&|\\\\|=|\\(?:text|mbox|mathrm|implies|Rightarrow|approx|quad|qquad)(?![a-zA-Z])|[.,;](?:\s|$)"
)
MULTIPLIED = re.compile(r"\\(?:pi|sqrt|frac|cdot|times)(?![a-zA-Z])|\^|!|[abcinxyz](?![a-zA-Z])")
DENIED = re.compile(r"\b(?:not|instead of|rather than)\s+(?:\$|\\\()?\s*$")
NEGATIVE = re.compile(r"\bnegative\s+(?:\$|\\\()?\s*$")
SCALE = re.compile(r"\s*(?:\\text\s*\{)?\s*(?:\$|\\\))?\s*\b(hundred|thousand|million|billion|trillion|dozen)\b")
SAID_INSIDE = re.compile(
    r"\s*\\text\s*\{\s*(?:so |thus |hence )?(?:the )?(?:final )?answer(?: is|:)[\s:]*\}", re.IGNORECASE
)
MAX_SIDE_CHARS = 300


def last_boxes(text: str) -> str:
    """The last box's content, with those right before it when only commas, "and" or "or" stand between; "" without a box."""
    boxes = _boxes(text)
    if not boxes:
        bare = BARE_BOX.findall(text)
        return bare[-1] if bare else ""
    boxes = [box for box in boxes if not DENIED.search(text[max(0, box.start - 30) : box.start])] or boxes
    if formula := whole_formula(text, boxes):
        return formula
    parts = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        between = text[box.end : parts[0].start]
        if not BETWEEN_BOXES.fullmatch(between) or (PARAGRAPH.search(between) and not JOINED.search(between)):
            break
        parts.insert(0, box)
    if len(parts) == 1:
        return _with_words(text, parts[0], _whole_side(text, parts[0], boxes))
    contents = list(dict.fromkeys(box.content.strip() for box in parts))
    return ", ".join(contents).strip()


def _boxes(text: str) -> list[Box]:
    boxes: list[Box] = []
    for match in BOX.finditer(text):
        if boxes and match.start() < boxes[-1].end:
            continue  # a box in a box
        end = closing(text, match.end())
        if end:
            boxes.append(Box(match.start(), end, _innermost(text[match.end() : end - 1])))
        else:
            cut = text[match.end() : match.end() + 200].split("\n")[0].rstrip("$ .")
            boxes.append(Box(match.start(), len(text), cut))
    return boxes


def _innermost(content: str) -> str:
    """The box that a box with nothing else but words holds."""
    content = SAID_INSIDE.sub("", content)
    found = BOX.search(content)
    if not found or not (end := closing(content, found.end())):
        return content
    around = re.sub(r"\\text\s*\{[^{}]*\}|[a-zA-Z:.,\s$]", "", content[: found.start()] + content[end:])
    return content if around else content[found.end() : end - 1]


def _with_words(text: str, box: Box, answer: str) -> str:
    """With "negative" before the box, and with the word behind it that multiplies: `$\\boxed{3}$ million`."""
    is_negative = NEGATIVE.search(text[max(0, box.start - 30) : box.start])
    answer = f"-{answer}" if is_negative and re.match(r"[\d.\\]", answer) else answer
    scale = SCALE.match(text, box.end)
    return f"{answer} {scale[1]}" if scale and re.search(r"[\d}]$", answer) else answer


def _whole_side(text: str, box: Box, boxes: list[Box]) -> str:
    """A box's content; where it is a factor, a root's, a fraction's or a negative part, the side of the formula with it."""
    first = box.start
    starts = [match.end() for match in SIDE_START.finditer(text, max(0, first - MAX_SIDE_CHARS), first)]
    before = text[starts[-1] : first] if starts else ""
    end = SIDE_END.search(text, box.end, box.end + MAX_SIDE_CHARS)
    after = text[box.end : end.start() if end else min(len(text), box.end + MAX_SIDE_CHARS)]
    if index := INDEX.match(after):
        return f"{box.content.strip()}{index[0].strip()}"
    is_bullet = bool(re.fullmatch(r"-\s+", before)) and text[starts[-1] - 1] == "\n"
    if is_bullet or INDEXED.search(before):
        return box.content.strip()
    is_inside = bool(starts) and before.count("{") > before.count("}") and "\\begin" not in before
    is_factor = (
        bool(starts) and bool(MULTIPLIED.match(after)) and not re.match(r"\^\s*\{?\s*(?:\\circ|\\prime|')", after)
    )
    if not (is_inside or is_factor or before.strip() == "-") or BOX.search(after):
        return box.content.strip()
    if any(box.start > other.start >= starts[-1] for other in boxes if starts):
        return box.content.strip()  # the second of a formula's boxes
    if not is_inside and before.strip() not in ("", "-"):
        before = ""
    if not (is_inside or is_factor):
        after = ""
    return f"{before}{{{box.content}}}{after}".strip() if is_inside else f"{before}{box.content}{after}".strip()
