r"""The functions that a problem defines.

functions_of("Let $f(x) = x^2 + 1$. Find $f(3)$.")   -> {"f": Function("x", ...)}
"""

import re

from stages.filtering.claims import NO_CLAIM, read_side
from stages.filtering.formula import Function
from stages.grading.responses import FORMULA

DEFINITION = re.compile(r"\s*([a-zA-Z])\(([a-z])\)\s*=\s*([^=]*)", re.DOTALL)
PARTS = re.compile(r",(?!\d{3})|\\text\s*\{[^{}]*\}|\\\\")


def functions_of(problem: str) -> dict[str, Function]:
    """The functions that a problem defines once, as `f(x) = x^2 + 1`."""
    found: dict[str, Function | None] = {}
    for formula in FORMULA.finditer(problem):
        if re.match(r"\s*,?\s*for\b", problem[formula.end() :]):
            continue  # only for some arguments
        for part in PARTS.split(next(g for g in formula.groups() if g)):
            if definition := DEFINITION.match(part):
                known = {name: function for name, function in found.items() if function}
                body = None if NO_CLAIM.search(part) else read_side(definition[3], known)
                is_first = definition[1] not in found and body and body.names == {definition[2]}
                found[definition[1]] = Function(definition[2], body.tree) if is_first and body else None
    return {name: function for name, function in found.items() if function}
