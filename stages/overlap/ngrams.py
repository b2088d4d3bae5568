"""The n-grams of benchmarks' entries, looked for in many texts at once.

    grams = Grams(entries, 8, flat_hashes_of(entries), abstract=False)
    for match in grams.matches(flat): ...      # Match(entry=17, position=4, place=1203, size=8, is_common=False)

All words of a batch are one array of hashes (stages/overlap/words.py), so a lookup costs some nanoseconds a word: a table of
bits says what is surely no gram of an entry, and a binary search decides the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stages.overlap.words import abstract_numbers, ngram_hashes

MIN_WHOLE_WORDS = 5  # an entry of so many words, but fewer than an n-gram's, is one gram
MIN_SAID_WORDS, MIN_CHANGED_SAID_WORDS = 3, 4  # words of two letters or more; a gram of fewer is not looked for
MAX_ENTRIES = 5  # a gram of more entries is common
TABLE_BITS = 24
QUESTION, ANSWER = "question", "answer"


@dataclass(frozen=True)
class Entry:
    benchmark: str
    index: int
    part: str
    words: list[str]


@dataclass(frozen=True)
class Match:
    """`size` words of a text at `place` that are those of an entry at `position`."""

    entry: int
    position: int
    place: int
    size: int
    is_common: bool


@dataclass
class Stretch:
    """Words of a text at `place` that are an entry's at `position`; common, when all its grams are."""

    position: int
    place: int
    words: int
    is_common: bool


class Grams:
    """The n-grams of entries, sorted by hash: hashes uint64[G], owners and positions int64[G], is_common bool[G]."""

    def __init__(self, entries: list[Entry], short_words: int, flat: np.ndarray, abstract: bool) -> None:
        self.abstract = abstract
        counts = np.array([len(entry.words) for entry in entries], dtype=np.int64)
        least = [short_words if abstract or entry.part == ANSWER else MIN_WHOLE_WORDS for entry in entries]
        entry_sizes = np.where(counts >= least, np.minimum(counts, short_words), 0)
        self.sizes = [int(size) for size in np.unique(entry_sizes) if size]
        self.flat = self._words(flat)
        owner = np.repeat(np.arange(len(entries)), counts + 1)  # of each word, and of the border after an entry
        self.counts, self.starts = counts, np.cumsum(counts + 1) - counts - 1
        columns = [
            self._grams_of_size(size, grams, owner, entry_sizes, _said(entries))
            for size, grams in zip(self.sizes, ngram_hashes(self.flat, self.sizes), strict=True)
        ]
        nothing = [np.empty(0, kind) for kind in (np.uint64, np.int64, np.int64)]
        grams, owners, positions = (np.concatenate(c) for c in zip(nothing, *columns, strict=True))
        order = np.lexsort((positions, owners, grams))
        self.hashes, self.owners, self.positions = grams[order], owners[order], positions[order]
        self.table = np.zeros(1 << TABLE_BITS, bool)
        self.table[self._slots(self.hashes)] = True
        self.is_common = self._common()

    def _grams_of_size(
        self, size: int, grams: np.ndarray, owner: np.ndarray, entry_sizes: np.ndarray, said: np.ndarray
    ) -> tuple[np.ndarray, ...]:  # fmt: skip
        """Of the entries that are cut into n-grams of this size: grams, owners and positions."""
        owners = owner[: len(grams)]
        positions = np.arange(len(grams)) - self.starts[owners]
        sums = np.concatenate([[0], np.cumsum(said)])
        words = sums[size : size + len(grams)] - sums[: len(grams)]
        enough = words >= (MIN_CHANGED_SAID_WORDS if self.abstract else MIN_SAID_WORDS)
        is_whole = (positions + size <= self.counts[owners]) & (entry_sizes[owners] == size)
        return grams[is_whole & enough], owners[is_whole & enough], positions[is_whole & enough]

    def _common(self) -> np.ndarray:
        """Whether a gram belongs to over MAX_ENTRIES entries."""
        is_first = np.ones(len(self.hashes), bool)
        is_first[1:] = (self.hashes[1:] != self.hashes[:-1]) | (self.owners[1:] != self.owners[:-1])
        grams, counts = np.unique(self.hashes[is_first], return_counts=True)
        return np.isin(self.hashes, grams[counts > MAX_ENTRIES])

    def _slots(self, grams: np.ndarray) -> np.ndarray:
        return (grams >> np.uint64(64 - TABLE_BITS)).astype(np.intp)

    def _words(self, flat: np.ndarray) -> np.ndarray:
        return abstract_numbers(flat) if self.abstract else flat

    def matches(self, flat: np.ndarray) -> Iterator[Match]:
        """Every place of the flat array that holds a gram of an entry."""
        for size, grams in zip(self.sizes, ngram_hashes(self._words(flat), self.sizes), strict=True):
            places = np.flatnonzero(self.table[self._slots(grams)])
            found = grams[places]
            lefts, rights = (np.searchsorted(self.hashes, found, side) for side in ("left", "right"))
            for number in np.flatnonzero(rights > lefts).tolist():
                for row in range(lefts[number], rights[number]):
                    owner, position = int(self.owners[row]), int(self.positions[row])
                    yield Match(owner, position, int(places[number]), size, bool(self.is_common[row]))

    def stretches(self, matches: list[Match], flat: np.ndarray) -> list[Stretch]:
        """The matches of one entry in one text, each extended as far as the words of both are the same."""
        owner = matches[0].entry
        entry = self.flat[self.starts[owner] : self.starts[owner] + self.counts[owner]]
        found: dict[int, Stretch] = {}  # by place - position: the last stretch on this diagonal
        done: list[Stretch] = []
        for match in sorted(matches, key=lambda m: (m.place, m.position)):
            diagonal = match.place - match.position
            last = found.get(diagonal)
            if last and match.position < last.position + last.words:
                last.is_common &= match.is_common
                continue
            found[diagonal] = self._extended(match, entry, flat)
            done.append(found[diagonal])
        return done

    def _extended(self, match: Match, entry: np.ndarray, flat: np.ndarray) -> Stretch:
        after = min(len(entry) - match.position, len(flat) - match.place)
        before = min(match.position, match.place)
        ahead = entry[match.position : match.position + after] != self._words(flat[match.place : match.place + after])
        back = entry[match.position - before : match.position] != self._words(flat[match.place - before : match.place])
        forward = int(np.argmax(ahead)) if ahead.any() else after
        backward = int(np.argmax(back[::-1])) if back.any() else before
        return Stretch(match.position - backward, match.place - backward, forward + backward, match.is_common)


def _said(entries: list[Entry]) -> np.ndarray:
    """bool[N]: whether each word, or border, of the flat array of entries is a word of two letters or more."""
    return np.array([said for e in entries for said in (*(len(w) > 1 and not w[0].isdigit() for w in e.words), False)])
