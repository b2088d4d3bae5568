"""All families of the built-in teacher, and the ones that its benchmarks and targets ask.

`GRADE_BENCHMARK` is to GSM8K what `SECONDARY_BENCHMARK` is to MATH: word problems of grade and middle school,
and equations, geometry, counting and number theory of secondary school and its competitions.
"""

from stages.builtin import competition, grade_school, secondary
from stages.builtin.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family for family in (*grade_school.FAMILIES, *secondary.FAMILIES, *competition.FAMILIES)
}
GRADE_BENCHMARK = (
    "gain", "loss", "groups", "share", "gain-then-loss", "groups-and-more", "times-and-total", "change", "speed", "percent",
)  # fmt: skip
SECONDARY_BENCHMARK = (
    "linear-equation", "evaluate", "slope", "arithmetic-term", "larger-root", "gcd", "remainder", "handshakes", "outfits",
)  # fmt: skip


def families_of(level: str) -> list[Family]:
    return [family for family in FAMILIES.values() if family.level == level]
