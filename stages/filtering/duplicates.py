"""Exact and near duplicates among any number of problems, and those that touch a benchmark: the first of those alike stays.

    screened = screen_problems(columns, index, 0.9, folder, total)    # columns: Arrow arrays of problems, in their order
    screened.copy_of(1)     # ("near_duplicate", 0)
    screened.hits.get(2)    # Hit("gsm8k", 17, ...)

Memory and disk: docs/corpus.md, under *Measured*.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from stages.core.progress import Tracker
from stages.overlap.decontamination import Index
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.screening import Screen, Screened, screen_texts

SHINGLE_WORDS, NUM_BANDS, BAND_ROWS = 3, 20, 8  # found with 99% at a Jaccard index of 0.9


def screen_problems(
    columns: Iterable[pa.Array], index: Index | None, min_jaccard: float, folder: Path, total: int
) -> Screened:
    """By row: the copies of earlier problems (`min_jaccard` 0: the equal ones alone) and the hits; a hit may be an original."""
    screen = Screen(index, DuplicateRules(SHINGLE_WORDS, NUM_BANDS, BAND_ROWS, min_jaccard))
    tracker = Tracker("filter_problems: copies", total, "problems")
    return screen_texts(columns, screen, folder, tracker, hits_go_first=False)
