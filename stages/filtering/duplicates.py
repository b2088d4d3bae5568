"""Exact and near duplicates among problems: the first of those alike stays.

find_copies(["Tom has 3 ...", "Tom has 3 ..."], 0.9)  -> {1: Rejection("duplicate", "the same as problem 0")}
"""

import tempfile
from pathlib import Path

import numpy as np

from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import EXACT, KEPT, DuplicateFinder, sign
from stages.problems.grammar import Rejection

SHINGLE_WORDS, NUM_BANDS, BAND_ROWS = 3, 20, 8  # found with 99% at a Jaccard index of 0.9
BATCH = 1000


def find_copies(problems: list[str], min_jaccard: float) -> dict[int, Rejection]:
    """By place: the problems that equal or resemble an earlier one; `min_jaccard` 0 finds the equal ones alone."""
    rules = DuplicateRules(SHINGLE_WORDS, NUM_BANDS, BAND_ROWS, min_jaccard)
    with tempfile.TemporaryDirectory() as folder:
        finder = DuplicateFinder(rules, Path(folder))
        for start in range(0, len(problems), BATCH):
            batch = problems[start : start + BATCH]
            finder.add(sign(batch, rules), np.zeros(len(batch), bool))
        finder.find()
        finder.close()
        return {
            row: Rejection(
                "duplicate" if state == EXACT else "near_duplicate",
                f"like: {problems[int(finder.original[row])][:100]}",
            )
            for row, state in enumerate(finder.state.tolist())
            if state != KEPT
        }
