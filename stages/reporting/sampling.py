"""What a page can hold of a table of any size: the rows of lowest rank, a hash of what they are, with texts of bounded length.

    rows, total = sampled([scan_table("leaked", path)], rank_of("benchmark", "index"), 50)

The rank of a row follows from the row alone: any run shows the same rows, and a table that grows changes few of them.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import polars as pl

from stages.core.tables import frames

MAX_CHARS = 5000  # of a text on the page: a formula-laden solution of a thousand words
RANK_ROWS = 500_000


def rank_of(*columns: str | pl.Expr) -> pl.Expr:
    """uint64: the rank of a row by the columns that name it."""
    texts = [(pl.col(column) if isinstance(column, str) else column).cast(pl.String) for column in columns]
    return pl.concat_str(texts, separator="\x1f", ignore_nulls=True).hash(seed=0)


def sampled(queries: Sequence[pl.LazyFrame], rank: pl.Expr, count: int) -> tuple[pl.DataFrame, int]:
    """The `count` rows of lowest rank of all queries, in their order, their texts cut; and how many rows there are.

    The rows have a column `rank` beside their own.
    """
    ranks, total = np.empty(0, np.uint64), 0
    for frame in chain.from_iterable(frames(query.select(rank=rank), RANK_ROWS) for query in queries):
        ranks, total = np.concatenate([ranks, frame["rank"].to_numpy()]), total + frame.height
        if len(ranks) > count + RANK_ROWS:
            ranks = np.partition(ranks, count)[:count]
    count = min(count, total)
    limit = np.partition(ranks, count - 1)[count - 1] if count else 0
    return lowest(pl.concat(_up_to(query.with_columns(rank=rank), int(limit)) for query in queries), count), total


def _up_to(query: pl.LazyFrame, limit: int) -> pl.DataFrame:
    """The rows of ranks up to `limit`.

    The filter is no part of the query: polars would hold many row groups at once for it.
    """
    is_low = pl.col("rank") <= pl.lit(limit, pl.UInt64)
    parts = [frame.filter(is_low).with_columns(cut_texts()) for frame in frames(query)]
    return pl.concat([pl.DataFrame(schema=query.collect_schema()), *parts])


def lowest(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """The `count` rows of lowest rank, in their order."""
    return rows.filter(pl.col("rank").rank("ordinal") <= count)


def cut_texts() -> pl.Expr:
    """Every column of texts as `cut` makes it, in memory of its own: a row that polars filters keeps the frame that it was in."""
    text, left = pl.selectors.string(), pl.selectors.string().str.len_chars().cast(pl.Int64) - MAX_CHARS
    told = pl.when(left > 0).then(pl.format("… ({} more characters)", left)).otherwise(pl.lit(""))
    return (text.str.head(MAX_CHARS) + told).name.keep()


def cut(text: str) -> str:
    """The text, or its first MAX_CHARS characters and how many more there are."""
    left = len(text) - MAX_CHARS
    return f"{text[:MAX_CHARS]}… ({left} more characters)" if left > 0 else text
