r"""Remarks beside an equation: how its result was rounded, and what a division leaves.

has_remark("17 / 5 = 3 remainder 2", 10, left, right)      -> True: 17 is 5 * 3 + 2
has_remark("10 / 3 = 4 (rounded down)", 10, left, right)   -> False: it was rounded up
"""

import re

from stages.filtering.arithmetic import Side

MAX_REMARK = 60
REMAINDER = re.compile(
    r"[\s$,;(]*(?:with |and )?(?:a |the )?(?:remainder|rem\.?|R)\s*(?:of|is|=|:)?\s*\$?(\d+)|[\s$,;(]*(?:with |and )(\d+) (?:left|remaining|over)"
)
ROUNDED = re.compile(
    r"[^\d.;\n=]{0,25}?\b(?:round(?:ed|ing|s)?(?:\s+(up|down))?|(?:up|down) to|to the nearest|nearest|truncat\w*|approximately|about|full|complete|whole|discard\w*|ignor\w*)\b"
    r"|[\s$]*(?:hours?|days?|weeks?|years?|feet|minutes?|pounds?|dozens?)?\s*,?\s*and\s+\d+"
    r"|[^.\n]{0,40}\bround(?:ed|ing|s)?\s+(up|down)\b",
    re.IGNORECASE,
)
ROUNDS_BEFORE = re.compile(
    r"\b(?:rounds?|rounded|rounding|estimat\w+|nearest|truncat\w*|approximat\w+)\b", re.IGNORECASE
)


def has_remark(text: str, end: int, left: Side, right: Side) -> bool:
    """Whether words after an equation say how it was rounded, or what is left over: 17 / 5 = 3 remainder 2."""
    after = text[end : end + MAX_REMARK]
    if found := REMAINDER.match(after):
        parts = left.division
        return right.value.denominator == 1 and (
            parts is None or parts[0] == parts[1] * right.value + int(found[1] or found[2])
        )
    before = text[max(0, end - MAX_REMARK) : end].rpartition("\n")[2]
    if not (found := ROUNDED.match(after)) and not ROUNDS_BEFORE.search(before.rpartition(". ")[2]):
        return False
    change = right.value - left.value
    direction = (found[1] or found[2] or "").casefold() if found else ""
    if direction in ("up", "down"):
        return 0 <= change < 1 if direction == "up" else -1 < change <= 0
    return abs(change) < 1 or "nearest" in after


def is_rounded(text: str, end: int) -> bool:
    """Whether the words after an equation tell that it is not exact."""
    after = text[end : end + MAX_REMARK]
    return bool(ROUNDED.match(after) or REMAINDER.match(after))
