"""The last word on each problem: its own fault, else that it is a copy, else that a benchmark holds it, else no agreement.

for frame in decided(problems, copies, work): ...       # problems with `reason` and `detail`; null: it is kept
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from stages.core.command import StageError
from stages.core.table_writer import TableWriter
from stages.core.tables import frames
from stages.filtering.faults import judged
from stages.filtering.funnel import Counts


def decided(problems: pl.LazyFrame, screened: pl.DataFrame, work: Path) -> Iterator[pl.DataFrame]:
    """The problems as judged (stages/filtering/faults.py), with what `screen_problems` found; frames as long as the shards."""
    first = 0
    for frame in judged(problems, work):
        start, end = (screened["row"].search_sorted(row) for row in (first, first + frame.height))
        found = screened[start:end].select(pl.col("row") - first, "leak", copy_reason="reason", copy_detail="detail")
        frame = frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        first += frame.height
        contaminated = pl.when(pl.col("leak").is_not_null()).then(pl.lit("contaminated"))
        yield frame.join(found, on="row", how="left", maintain_order="left").with_columns(
            reason=pl.coalesce("reason", "copy_reason", contaminated),
            detail=pl.when(pl.col("reason").is_not_null()).then("detail").otherwise(pl.coalesce("copy_detail", "leak")),
        ).drop("row", "copy_reason", "copy_detail", "leak")  # fmt: skip


def write_sorted(none: pl.LazyFrame, problems: Iterable[pl.DataFrame], counts: Counts, out: Path) -> None:
    """Write OUT/problems.parquet and OUT/rejected.parquet, which begins with `none`, the outputs that were no problem.

    Raises:
        StageError: no problem is kept; nothing is written.
    """
    with (
        TableWriter("rejected", out / "rejected.parquet") as rejected,
        TableWriter("problems", out / "problems.parquet") as kept,
    ):
        for frame in frames(none):
            counts.add(frame)
            rejected.write(frame)
        for frame in problems:
            counts.add(frame)
            kept.write(frame.filter(pl.col("reason").is_null()))
            rejected.write(frame.filter(pl.col("reason").is_not_null()))
        if not kept.num_rows:
            reasons = counts.figures()["rejected"]
            raise StageError(
                f"no problem passed the filter: {reasons}. Train the synthesizer longer, or lower temperature."
            )
