"""What a problem shares with others: an equal or similar earlier one, of which the first stays, or a benchmark's.

screened = screen_problems(judged_frames, index, 0.9, folder, total)    # pl.DataFrame: row, reason, original (a row too), leak
screened = with_details(screened, problems)                             # row, reason, detail ("like: Tom has 3 ..."), leak

Memory and disk: docs/corpus.md, under *Measured*.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from stages.core.progress import Tracker
from stages.core.tables import collected
from stages.overlap.decontamination import Index
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import KEPT
from stages.overlap.screening import REASONS, Screen, screen_texts

SHINGLE_WORDS, NUM_BANDS, BAND_ROWS = 3, 20, 8  # found with 99% at a Jaccard index of 0.9
BATCH = 1000
SHOWN_CHARS = 100


def screen_problems(
    problems: Iterable[pl.DataFrame], index: Index, min_jaccard: float, folder: Path, total: int, let_through: Collection[str] = ()
) -> pl.DataFrame:  # fmt: skip
    """The problems that are copies (`min_jaccard` 0: equal ones alone) or leaks, by row; those with a `reason` are out already.

    `reason` and `original` are null where a problem is no copy, `leak` where it touches no benchmark; a leak may be an original.
    A copy whose reason is to be let through is none, and shares its original's leak.
    """
    screen = Screen(index, DuplicateRules(SHINGLE_WORDS, NUM_BANDS, BAND_ROWS, min_jaccard))
    tracker = Tracker("filter_problems: copies and leaks", total, "problems")
    found = screen_texts(_columns(problems), screen, folder, tracker, hits_go_first=False)
    rows = np.flatnonzero(found.state != KEPT)
    copies = pl.select(
        row=pl.Series(rows, dtype=pl.Int64),
        reason=pl.Series(found.state[rows]).replace_strict(REASONS, return_dtype=pl.String),
        original=pl.Series(found.original[rows], dtype=pl.Int64),
    )
    leaks = pl.DataFrame(
        {"row": [*found.hits], "leak": map(str, found.hits.values())}, {"row": pl.Int64, "leak": pl.String}
    )
    both = copies.join(leaks, on="row", how="full", coalesce=True)
    passed = pl.col("reason").is_in(list(let_through))
    shared = both.join(leaks.rename({"row": "original", "leak": "shared"}), on="original", how="left").with_columns(
        leak=pl.when(passed).then(pl.coalesce("leak", "shared")).otherwise("leak")
    )
    kept = [pl.when(~passed).then(column).alias(column) for column in ("reason", "original")]
    return shared.with_columns(kept).select("row", "reason", "original", "leak").sort("row")


def _columns(problems: Iterable[pl.DataFrame]) -> Iterator[pa.Array]:
    """The problems' statements; null where one is out."""
    for frame in problems:
        for part in frame.iter_slices(BATCH):
            yield part.select(pl.when(pl.col("reason").is_null()).then("problem")).to_series().to_arrow()


def with_details(screened: pl.DataFrame, problems: pl.LazyFrame) -> pl.DataFrame:
    """As `screened`, copies with the words of their originals."""
    words = problems.select(pl.col("problem").str.slice(0, SHOWN_CHARS)).with_row_index("original")
    copies = screened.lazy().select("original").drop_nulls().unique()
    named = collected(words.with_columns(pl.col("original").cast(pl.Int64)).join(copies, on="original"))
    details = screened.join(named, on="original", how="left").with_columns(detail=pl.format("like: {}", "problem"))
    return details.select("row", "reason", "detail", "leak").sort("row")
