r"""The units of an equation's sides: an equation between two units is a conversion, and is not computed.

3\text{ km} = 3000\text{ m}      changes_unit(...) -> True
"""

import re
from itertools import takewhile

from stages.filtering.arithmetic import GAPS, Token, is_line_end

SYMBOLS = frozenset("km m cm mm nm ft in yd mi s ms min h hr g kg mg lb oz L mL l ml".split())
UNITS = frozenset(
    "hour minute second day week month year foot feet inch inche yard mile meter km cm kilometer centimeter pound ounce gram kilogram cent dollar dime quarter nickel gallon quart cup pint liter".split()
)


def changes_unit(tokens: list[Token], start: int, sign: int, end: int) -> bool:
    """3 km = 3000 m"""
    left = {_unit_name(token) for token in tokens[start:sign] if token.kind == "unit"}
    after = takewhile(lambda token: token.kind in GAPS and not is_line_end(token), tokens[end : end + 3])
    right = {_unit_name(token) for token in (*tokens[sign:end], *after) if token.kind == "unit"}
    return len(left) == len(right) == 1 and left != right and left | right <= SYMBOLS | UNITS


def _unit_name(token: Token) -> str:
    name = re.sub(r"\\[a-z]+\s*\{|[~\\{}.\s]|\^.*", "", token.text)
    return name if name in SYMBOLS else name.rstrip("s")


def has_unit_in_fraction(tokens: list[Token]) -> bool:
    return {"fraction", "unit"} <= {token.kind for token in tokens}
