"""Quotas: the largest share of a set of texts that one source, one span of lengths, or one level may have.

quotas = Quotas.parse(source=["web=0.4"])
quotas.cell({"source": "web", ...}), quotas.limits(1000)      # ("source web",), {"source web": 400}
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from stages.core.schemas import Row
from stages.core.tables import seed_of
from stages.problems.levels import level_of_fit
from stages.texts.quota_grammar import parse_length_quota, parse_level_quota, parse_quota

PARSERS = {"source": parse_quota, "length": parse_length_quota, "level": parse_level_quota}


@dataclass(frozen=True)
class Quotas:
    """name -> largest share, for sources, for lengths in characters ("0-500") and for levels."""

    source: dict[str, float] = field(default_factory=dict)
    length: dict[str, float] = field(default_factory=dict)
    level: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, **options: Iterable[str]) -> "Quotas":
        return cls(**{kind: dict(map(PARSERS[kind], texts)) for kind, texts in options.items()})

    def __bool__(self) -> bool:
        return bool(self.source or self.length or self.level)

    def cell(self, row: Row) -> tuple[str, ...]:
        """The quotas that a text counts against."""
        names = [f"source {row['source']}"] if row["source"] in self.source else []
        names += [f"length {span}" for span in self.length if _is_within(len(row["text"]), span)]
        if self.level:
            level = level_of_fit(row["text"], random.Random(seed_of("level", row["text_id"])))
            names += [f"level {level}"] if level in self.level else []
        return tuple(names)

    def limits(self, count: int) -> dict[str, int]:
        return {
            f"{kind} {name}": int(share * count)
            for kind in ("source", "length", "level")
            for name, share in getattr(self, kind).items()
        }


def _is_within(length: int, span: str) -> bool:
    low, high = map(int, span.split("-"))
    return low <= length < high
