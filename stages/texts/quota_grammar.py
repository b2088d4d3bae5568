"""Quotas as params.yaml writes them: the largest share of a set of texts that one source, length or level may have."""

from typing import Annotated

from stages.core.section import Grammar
from stages.problems.level_names import LEVELS


def parse_quota(text: str) -> tuple[str, float]:
    """`web=0.4` as ("web", 0.4)."""
    name, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not name or not 0 <= value <= 1:
        raise ValueError("it is not NAME=SHARE with a share from 0 to 1")
    return name, value


def parse_length_quota(text: str) -> tuple[str, float]:
    """`0-500=0.3` as ("0-500", 0.3)."""
    name, value = parse_quota(text)
    low, _, high = name.partition("-")
    if not (low.isdecimal() and high.isdecimal() and int(low) < int(high)):
        raise ValueError(f"{name!r} is not a range of lengths in characters")
    return name, value


def parse_level_quota(text: str) -> tuple[str, float]:
    """`grade=0.2` as ("grade", 0.2)."""
    name, value = parse_quota(text)
    if name not in LEVELS:
        raise ValueError(f"{name!r} is not a level; the levels are {', '.join(LEVELS)}")
    return name, value


SourceQuota = Annotated[str, Grammar(parse_quota, "web=0.4")]
LengthQuota = Annotated[str, Grammar(parse_length_quota, "0-500=0.3")]
LevelQuota = Annotated[str, Grammar(parse_level_quota, "grade=0.2")]
