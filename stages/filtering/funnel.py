"""The filter's counts: how many problems were made and kept, in all and by mode, source and prompt, and each reason's.

counts = Counts(sources)                 # a lookup of text_id -> source
counts.add(frame)                        # of problems with `reason`, null where one is kept
counts.figures() -> {"num_made": 4560, "num_kept": 3260, "rejected": {"equation": 818, ...}, "by_mode": {"cot": {...}}, ...}
"""

from pathlib import Path
from typing import Any

import polars as pl

from stages.core.files import write_csv
from stages.core.lookup import Lookup
from stages.execution.sandbox import is_unsafe

COUNTED = {**dict.fromkeys(("mode", "prompt", "source", "reason"), pl.String), "num": pl.Int64}
GROUPS = {"mode": "by_mode", "prompt": "by_prompt", "source": "by_source"}


class Counts:
    """Adds up frames; memory holds the different combinations of mode, prompt, source and reason."""

    def __init__(self, sources: Lookup) -> None:
        self.sources = sources
        self.parts = [pl.DataFrame(schema=COUNTED)]

    def add(self, frame: pl.DataFrame) -> None:
        named = self.sources.join(frame.select("text_id", "mode", "prompt", "reason"))
        named = named.with_columns(pl.col("source").fill_null("unknown"))
        self.parts.append(named.group_by("mode", "prompt", "source", "reason").agg(num=pl.len().cast(pl.Int64)))
        if len(self.parts) > 100:
            self.parts = [self.total()]

    def total(self) -> pl.DataFrame:
        return pl.concat(self.parts).group_by("mode", "prompt", "source", "reason").agg(pl.col("num").sum())

    def figures(self) -> dict[str, Any]:
        """Groups hold num_made, num_kept, kept_frac and the reasons' counts."""
        total = self.total()
        figures = {**_group(total), "isolation": "none" if is_unsafe() else "bubblewrap"}
        for column, name in GROUPS.items():
            parts = total.sort(column).partition_by(column, as_dict=True, maintain_order=True)
            figures[name] = {str(key): _group(part) for (key,), part in parts.items()}
        return figures


def _group(counts: pl.DataFrame) -> dict[str, Any]:
    made, kept = int(counts["num"].sum()), int(counts.filter(pl.col("reason").is_null())["num"].sum())
    rejected = counts.drop_nulls("reason").group_by("reason").agg(pl.col("num").sum()).sort("reason")
    return {
        "num_made": made,
        "num_kept": kept,
        "kept_frac": round(kept / max(made, 1), 4),
        "rejected": dict(rejected.iter_rows()),
    }


def write_funnel(figures: dict[str, Any], path: Path) -> None:
    """What is left after each reason, largest first, as CSV for `dvc plots`: step, num_problems."""
    left = figures["num_made"]
    rows = [("step", "num_problems"), ("made", left)]
    for reason, count in sorted(figures["rejected"].items(), key=lambda item: (-item[1], item[0])):
        left -= count
        rows.append((f"after {reason}", left))
    write_csv(rows, path)
