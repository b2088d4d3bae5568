"""Which texts of a corpus touch a benchmark or are copies of another: read once, on all CPUs, with flat memory.

    screened = screen_texts(columns, Screen(index, rules), folder, Tracker("curate_texts: sign", total, "texts"))
    screened.hits[17]                           # Hit("gsm8k", 17, ...)
    screened.copy_of(18)                        # ("near_duplicate", 5)

`columns` are Arrow arrays of texts, some thousand each; null for a text that is out already. Workers are forked with the index in their memory; they send back
signatures and hits. Memory and disk: stages/overlap/near_duplicates.py, and a line for each text that touches a benchmark.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.core.parallel import ordered_map
from stages.core.progress import Tracker
from stages.overlap.decontamination import Hit, Index
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import EXACT, KEPT, NEAR, DuplicateFinder
from stages.overlap.signatures import Signatures, sign_words
from stages.overlap.word_hashes import hash_words

REASONS = {EXACT: "duplicate", NEAR: "near_duplicate"}


@dataclass(frozen=True)
class Screen:
    """What a worker does with a column of B texts: their signatures, each one's hit (without an index none), and which are out, bool[B]."""

    index: Index | None
    rules: DuplicateRules

    def __call__(self, column: pa.Array) -> tuple[Signatures, list[Hit | None], np.ndarray]:
        texts = [text or "" for text in column.to_pylist()]
        hashed = hash_words(texts)
        hits: list[Hit | None] = [None] * len(texts)
        if self.index:
            hits = self.index.find_words(texts, hashed)
        return sign_words(hashed, self.rules), hits, column.is_null().to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Screened:
    """By row: the hits, and of every text its state uint8[N] (KEPT, EXACT, NEAR) and the row of its original uint32[N]."""

    hits: dict[int, Hit]
    state: np.ndarray
    original: np.ndarray

    def copy_of(self, row: int) -> tuple[str, int] | None:
        """Why a text is no original, and the row of the one that stays."""
        state = int(self.state[row])
        return None if state == KEPT else (REASONS[state], int(self.original[row]))


def screen_texts(
    columns: Iterable[pa.Array], screen: Screen, folder: Path, tracker: Tracker, *, hits_go_first: bool
) -> Screened:
    """Screen all texts; those that touch a benchmark are nobody's original when `hits_go_first`."""
    hits: dict[int, Hit] = {}
    finder = DuplicateFinder(screen.rules, folder)
    with tracker:
        for signatures, found, is_out in ordered_map(screen, columns):
            hits |= {finder.num_texts + number: hit for number, hit in enumerate(found) if hit}
            is_hit = np.array([hit is not None for hit in found], dtype=bool)
            finder.add(signatures, is_out | is_hit if hits_go_first else is_out)
            tracker.advance(len(found))
    finder.find()
    finder.close()
    return Screened(hits, finder.state, finder.original)
