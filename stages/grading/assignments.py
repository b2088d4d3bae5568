r"""What an assignment says: the value of `x=5`, and several in their names' order.

stated_value(r"\frac{3}{20}=0.15")            -> "0.15"
by_name(["y=2", "x=1"], "(1,2)")              -> ["x=1", "y=2"]
"""

import re

from stages.grading.near_values import is_constant
from stages.grading.structures import split_top, without_assignment

NAMED_VALUE = re.compile(r"[a-zA-Z]=")


def by_name(assignments: list[str], other: str) -> list[str]:
    """Assignments in their names' order, as a tuple on the other side has them: `y=2,x=1` for (1,2)."""
    is_tuple = other.startswith("(") and len(assignments) > 1 and all(NAMED_VALUE.match(one) for one in assignments)
    return sorted(assignments) if is_tuple and len({one[0] for one in assignments}) == len(assignments) else assignments


def stated_value(text: str) -> str:
    """What stands right of a name, or of a number that is computed: `\\frac{3}{20}=0.15` says 0.15."""
    bare = without_assignment(text)
    sides = split_top(bare, "=")
    return sides[-1] if len(sides) > 1 and all(is_constant(side) for side in sides) else bare
