r"""Congruences between whole numbers that a solution states; each is computed.

    false_congruence(r"We get $506 \equiv 0 \pmod{121}$.")  -> r"506 \equiv 0 (mod 121): the remainders are 22 and 0"

A congruence with letters, or one that is supposed, says nothing.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from stages.filtering.claims import SUPPOSED, formulas_of
from stages.filtering.formula import real_value

MODULUS = re.compile(
    r"\\[pb]?mod\s*(?:\{\s*(\d+)\s*\}|(\d+))|\(?\s*\\(?:text|mathrm)\s*\{\s*\(?\s*mod\s*\}\s*\{?(\d+)\}?|\\pod\s*\{(\d+)\}"
)
CONGRUENT = re.compile(r"\\equiv(?![a-zA-Z])")
BREAKS = re.compile(r"\\\\(?![a-zA-Z])|&|,\s|;|\\(?:quad|text|implies|Rightarrow|iff)(?![a-zA-Z])")
MAX_VALUE = 10**12  # floats are exact


def false_congruence(solution: str) -> str:
    """The first congruence of numbers that does not hold, or ""."""
    for before, formula in formulas_of(solution) if "\\equiv" in solution else ():
        if SUPPOSED.search(before) or "\\not" in formula:
            continue
        for left, right, modulus in _congruences(formula):
            one, other = _whole(left.rpartition("=")[2]), _whole(right.partition("=")[0])
            if one is not None and other is not None and (one - other) % modulus:
                remainders = f"{one % modulus} and {other % modulus}"
                return f"{left.strip()[-60:]} \\equiv {right.strip()[:60]} (mod {modulus}): the remainders are {remainders}"
    return ""


def _congruences(formula: str) -> Iterator[tuple[str, str, int]]:
    """(left, right, modulus) of each sign; a modulus holds for the chain before it."""
    start = 0
    for found in MODULUS.finditer(formula):
        modulus = int(next(filter(None, found.groups())))
        chain = BREAKS.split(formula[start : found.start()].rstrip(" ("))[-1]
        start = found.end()
        for left, right in pairwise(CONGRUENT.split(chain)) if modulus else ():
            yield left, right, modulus


def _whole(text: str) -> int | None:
    value = real_value(text)
    is_whole = value is not None and abs(value) < MAX_VALUE and abs(value - round(value)) < 1e-6
    return round(value) if value is not None and is_whole else None
