"""Exact and near duplicates among problems: the first of those alike stays.

copies = find_copies(judged_frames, 0.9, folder)    # pl.DataFrame: row, reason, original (a row too), ordered by row
copies = with_details(copies, problems)             # row, reason, detail: "like: Tom has 3 ..."
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from stages.core.parallel import ordered_map
from stages.core.tables import collected
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import EXACT, KEPT, DuplicateFinder, Signatures, sign

SHINGLE_WORDS, NUM_BANDS, BAND_ROWS = 3, 20, 8  # found with 99% at a Jaccard index of 0.9
BATCH = 1000
SHOWN_CHARS = 100


def find_copies(problems: Iterable[pl.DataFrame], min_jaccard: float, folder: Path) -> pl.DataFrame:
    """The problems that equal or resemble an earlier one; those with a `reason` are out already. On all CPUs.

    `min_jaccard` 0 finds the equal ones alone.
    """
    rules = DuplicateRules(SHINGLE_WORDS, NUM_BANDS, BAND_ROWS, min_jaccard)

    def signed(batch: tuple[list[str], np.ndarray]) -> tuple[Signatures, np.ndarray]:
        texts, is_out = batch
        return sign(texts, rules), is_out

    finder = DuplicateFinder(rules, folder)
    for signatures, is_out in ordered_map(signed, _batches(problems)):
        finder.add(signatures, is_out)
    finder.find()
    finder.close()
    rows = np.flatnonzero(finder.state != KEPT)
    is_exact = pl.Series(finder.state[rows] == EXACT)
    return pl.select(
        row=pl.Series(rows),
        reason=pl.when(is_exact).then(pl.lit("duplicate")).otherwise(pl.lit("near_duplicate")),
        original=pl.Series(finder.original[rows].astype(np.int64)),
    )


def _batches(problems: Iterable[pl.DataFrame]) -> Iterator[tuple[list[str], np.ndarray]]:
    for frame in problems:
        for part in frame.select("problem", "reason").iter_slices(BATCH):
            yield part["problem"].to_list(), part["reason"].is_not_null().to_numpy()


def with_details(copies: pl.DataFrame, problems: pl.LazyFrame) -> pl.DataFrame:
    """The copies with the words of their originals."""
    words = problems.select(pl.col("problem").str.slice(0, SHOWN_CHARS)).with_row_index("original")
    named = words.with_columns(pl.col("original").cast(pl.Int64)).join(copies.lazy(), on="original")
    return collected(named.select("row", "reason", detail=pl.format("like: {}", "problem"))).sort("row")
