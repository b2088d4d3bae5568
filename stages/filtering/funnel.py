"""The filter's counts: how many problems were made and kept, in all and by mode, source and prompt, and each reason's."""

from collections import Counter
from pathlib import Path
from typing import Any

from stages.core.files import write_csv
from stages.core.tables import Row
from stages.execution.sandbox import is_unsafe


def filter_figures(kept: list[Row], rejected: list[Row], sources: dict[str, str]) -> dict[str, Any]:
    """`sources`: text_id -> source. Groups hold num_made, num_kept, kept_frac and the reasons' counts."""
    groupings = {
        "by_mode": lambda row: row["mode"], "by_prompt": lambda row: row["prompt"],
        "by_source": lambda row: sources.get(row["text_id"], "unknown"),
    }  # fmt: skip
    figures = {**_group(kept, rejected), "isolation": "none" if is_unsafe() else "bubblewrap"}
    for name, key in groupings.items():
        groups = sorted({key(row) for row in (*kept, *rejected)})
        figures[name] = {
            group: _group([row for row in kept if key(row) == group], [row for row in rejected if key(row) == group])
            for group in groups
        }
    return figures


def _group(kept: list[Row], rejected: list[Row]) -> dict[str, Any]:
    made = len(kept) + len(rejected)
    counts = dict(sorted(Counter(row["reason"] for row in rejected).items()))
    return {
        "num_made": made,
        "num_kept": len(kept),
        "kept_frac": round(len(kept) / max(made, 1), 4),
        "rejected": counts,
    }


def write_funnel(figures: dict[str, Any], path: Path) -> None:
    """What is left after each reason, largest first, as CSV for `dvc plots`: step, num_problems."""
    left = figures["num_made"]
    rows = [("step", "num_problems"), ("made", left)]
    for reason, count in sorted(figures["rejected"].items(), key=lambda item: (-item[1], item[0])):
        left -= count
        rows.append((f"after {reason}", left))
    write_csv(rows, path)
