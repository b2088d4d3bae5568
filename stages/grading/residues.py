r"""Congruences as answers.

residue_of(r"x\equiv3\pmod{7}")          -> ("3", "7")
is_congruent(("3", "5"), ("8", "5"))     -> True
"""

import re

CONGRUENCE = re.compile(
    r"(?:[a-zA-Z]\w?\\equiv\s?)?([^,=<>]+?)(?:\(\\mod|\(mod|\\pmod|\\mod|\\bmod)\s?\{?(\d{1,9})\}?\)?"
)
WHOLE = re.compile(r"-?\d{1,200}")


def residue_of(text: str) -> tuple[str, str] | None:
    """(residue, modulus) of a congruence without its unknown; None for anything else."""
    found = CONGRUENCE.fullmatch(text) if "mod" in text else None
    return (found[1], found[2]) if found and "\\equiv" not in found[1] else None


def is_congruent(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two residues are one class of the same modulus."""
    if one[1] != other[1] or int(one[1]) == 0:
        return False
    if WHOLE.fullmatch(one[0]) and WHOLE.fullmatch(other[0]):
        return (int(one[0]) - int(other[0])) % int(one[1]) == 0
    return one[0] == other[0]
