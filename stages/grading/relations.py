r"""Inequalities in one unknown as intervals, and chains of them.

as_pieces(r"-2\le x<7")       -> ["[-2,7)"]
as_pieces(r"x<1,x>3")         -> [r"(-\infty,1)", r"(3,\infty)"]
as_pieces(r"x\ne0")           -> [r"(-\infty,0)", r"(0,\infty)"]
chain_of("f(4)>f(1)>f(2)")    -> (["f(2)", "f(1)", "f(4)"], ["<", "<"])
"""

import re
from fractions import Fraction
from itertools import pairwise

from stages.grading.exact_numbers import as_number
from stages.grading.structures import parts_of, split_top, without_assignment

RELATION = re.compile(r"<|>|\\[lgn]e(?![a-zA-Z])")
FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne"}
UNKNOWN = re.compile(r"[a-zA-Z](?:_(?:\{\w+\}|\w))?|\\(?:theta|alpha|beta|lambda)")
MODULUS = re.compile(r"\|([a-zA-Z])\|")
HAS_LETTER = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])")


def sides_of(text: str) -> tuple[list[str], list[str]]:
    """The sides of an inequality or a chain, and the signs between them."""
    return [side.strip() for side in RELATION.split(text)], RELATION.findall(text)


def unknowns_of(text: str) -> set[str]:
    """The letters of an answer that are no command's."""
    return set(HAS_LETTER.findall(re.sub(r"\\[a-zA-Z]+", " ", text)))


def chain_of(text: str) -> tuple[list[str], list[str]] | None:
    """(sides, signs) of a chain of two signs or more, from small to large; None for anything else."""
    sides, signs = sides_of(text)
    if len(signs) < 2 or len(split_top(text)) > 1 or not all(sides):
        return None
    if all(sign in (">", "\\ge") for sign in signs):
        sides, signs = sides[::-1], [FLIPPED[sign] for sign in signs[::-1]]
    return (sides, signs) if all(sign in ("<", "\\le") for sign in signs) else None


def as_pieces(text: str) -> list[str] | None:
    """The intervals of an answer that is one interval, a union, or inequalities in one unknown; None for anything else."""
    if not RELATION.search(text):
        pieces = without_assignment(text).split("\\cup")
        are_sets = all((held := parts_of(piece)) and (held.opening == "{" or len(held.items) == 2) for piece in pieces)
        return pieces if are_sets else None
    parts = split_top(text)
    pieces, names = [], set()
    for part in parts:
        found = _interval(part)
        if found is None:
            return None
        names.add(found[0])
        pieces += found[1]
    if len(names) != 1 or (len(parts) > 1 and not _are_apart(pieces)):
        return None
    return pieces


def _interval(text: str) -> tuple[str, list[str]] | None:
    """(unknown, intervals) of one inequality whose other sides hold no unknown."""
    sides, signs = sides_of(text)
    if len(signs) == 2 and (found := chain_of(text)):
        (low, name, high), (left, right) = found
        if UNKNOWN.fullmatch(name) and not unknowns_of(low) and not unknowns_of(high):
            return name, [f"{'[' if left != '<' else '('}{low},{high}{']' if right != '<' else ')'}"]
        return None
    if len(signs) != 1 or not all(sides):
        return None
    sign, (one, other) = signs[0], sides
    if not (UNKNOWN.fullmatch(one) or MODULUS.fullmatch(one)):
        one, other, sign = other, one, FLIPPED[sign]
    if (held := MODULUS.fullmatch(one)) and (size := as_number(other)) and size.value > 0:
        return held[1], _around_zero(other, sign)
    if not UNKNOWN.fullmatch(one) or unknowns_of(other):
        return None
    below, above = f"(-\\infty,{other}", f"{other},\\infty)"
    if sign == "\\ne":
        return one, [f"{below})", f"({above}"]
    return one, [{"<": f"{below})", "\\le": f"{below}]", ">": f"({above}", "\\ge": f"[{above}"}[sign]]


def _around_zero(size: str, sign: str) -> list[str]:
    """The intervals of `|x|<2`, `|x|\\ge2` and their kind."""
    inside, outside = f"-{size},{size}", (f"(-\\infty,-{size}", f"{size},\\infty)")
    if sign in ("<", "\\le"):
        return [f"({inside})" if sign == "<" else f"[{inside}]"]
    if sign == "\\ne":
        return [f"{outside[0]})", f"(-{size},{size})", f"({outside[1]}"]
    return [f"{outside[0]})", f"({outside[1]}"] if sign == ">" else [f"{outside[0]}]", f"[{outside[1]}"]


def _are_apart(pieces: list[str]) -> bool:
    """Whether intervals with numbers as ends do not overlap, so that a list of them is a union and no conjunction."""
    bounds: list[list[Fraction | float]] = []
    for piece in pieces:
        ends = [end for text in piece[1:-1].split(",", 1) if (end := _end(text)) is not None]
        if len(ends) < 2:
            return False
        bounds.append(ends)
    return all(a[1] <= b[0] for a, b in pairwise(sorted(bounds)))


def _end(text: str) -> Fraction | float | None:
    if "\\infty" in text:
        return float("-inf") if text.startswith("-") else float("inf")
    number = as_number(text)
    return number.value if number else None
