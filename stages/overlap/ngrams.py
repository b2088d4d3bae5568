"""The n-grams of benchmarks' entries, looked for in many texts at once.

    grams = Grams(entries, 8, flat_hashes_of(entries), abstract=False)
    grams.matches(flat)        # Matches(entries=[17, ...], positions=[4, ...], places=[1203, ...], rows=[...])

All words of a batch are one array of hashes (stages/overlap/word_hashes.py), so a lookup costs some nanoseconds a word: a
table says what is surely no gram of an entry, and a binary search decides the rest.
"""

from dataclasses import dataclass

import numpy as np

from stages.overlap.ngram_hashes import abstract_numbers, ngram_hashes

MIN_WHOLE_WORDS = 5  # an entry of so many words, but fewer than an n-gram's, is one gram
MIN_SAID_WORDS, MIN_CHANGED_SAID_WORDS = 3, 4  # words of two letters or more; a gram of fewer is not looked for
MAX_ENTRIES = 5  # a gram of more entries is common
SLOTS_A_GRAM, MAX_TABLE_BITS = 16, 24
QUESTION, ANSWER = "question", "answer"


@dataclass(frozen=True)
class Entry:
    benchmark: str
    index: int
    part: str
    words: list[str]


@dataclass(frozen=True)
class Matches:
    """int64[M] each: the words of the batch at `places` are those of `entries` at `positions`; `rows` are their grams'."""

    entries: np.ndarray
    positions: np.ndarray
    places: np.ndarray
    rows: np.ndarray


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
        said = np.concatenate([[0], np.cumsum(_said(entries))])
        columns = [
            self._grams_of_size(size, grams, owner, entry_sizes, said)
            for size, grams in zip(self.sizes, ngram_hashes(self.flat, self.sizes), strict=True)
        ]
        nothing = [np.empty(0, kind) for kind in (np.uint64, np.int64, np.int64)]
        grams, owners, positions = (np.concatenate(c) for c in zip(nothing, *columns, strict=True))
        order = np.lexsort((positions, owners, grams))
        self.hashes, self.owners, self.positions = grams[order], owners[order], positions[order]
        self.num_alike = np.searchsorted(self.hashes, self.hashes, "right") - np.arange(len(self.hashes))
        self.tables = [_table(grams) for grams, *_ in columns]
        self.is_common = self._common()

    def _grams_of_size(
        self, size: int, grams: np.ndarray, owner: np.ndarray, entry_sizes: np.ndarray, said: np.ndarray
    ) -> tuple[np.ndarray, ...]:  # fmt: skip
        """Of the entries that are cut into n-grams of this size: grams, owners and positions; `said` sums before a word."""
        owners = owner[: len(grams)]
        positions = np.arange(len(grams)) - self.starts[owners]
        words = said[size : size + len(grams)] - said[: len(grams)]
        enough = words >= (MIN_CHANGED_SAID_WORDS if self.abstract else MIN_SAID_WORDS)
        is_whole = (positions + size <= self.counts[owners]) & (entry_sizes[owners] == size)
        return grams[is_whole & enough], owners[is_whole & enough], positions[is_whole & enough]

    def _common(self) -> np.ndarray:
        """Whether a gram belongs to over MAX_ENTRIES entries."""
        is_first = np.ones(len(self.hashes), bool)
        is_first[1:] = (self.hashes[1:] != self.hashes[:-1]) | (self.owners[1:] != self.owners[:-1])
        grams, counts = np.unique(self.hashes[is_first], return_counts=True)
        return np.isin(self.hashes, grams[counts > MAX_ENTRIES])

    def _words(self, flat: np.ndarray) -> np.ndarray:
        return abstract_numbers(flat) if self.abstract else flat

    def matches(self, flat: np.ndarray) -> Matches:
        """Every place of the flat array that holds a gram of an entry; by the grams' size, place and entry."""
        places, lefts, counts = [], [], []
        for table, grams in zip(self.tables, ngram_hashes(self._words(flat), self.sizes), strict=True):
            here = np.flatnonzero(table[_slots(grams, table)])
            first = np.searchsorted(self.hashes[:-1], grams[here])  # the last one stands for those that are greater
            is_gram = self.hashes[first] == grams[here]
            places.append(here[is_gram])
            lefts.append(first[is_gram])
            counts.append(self.num_alike[first[is_gram]])
        if not places:
            return Matches(*np.empty((4, 0), np.int64))
        starts, numbers = np.concatenate(lefts), np.concatenate(counts)
        rows = np.arange(numbers.sum()) + np.repeat(starts - (np.cumsum(numbers) - numbers), numbers)
        return Matches(self.owners[rows], self.positions[rows], np.repeat(np.concatenate(places), numbers), rows)

    def stretches(self, matches: Matches, flat: np.ndarray) -> list[Stretch]:
        """The matches of one entry in one text, by place, each extended as far as the words of both are the same."""
        owner = int(matches.entries[0])
        entry = self.flat[self.starts[owner] : self.starts[owner] + self.counts[owner]]
        found: dict[int, Stretch] = {}  # by place - position: the last stretch on this diagonal
        done: list[Stretch] = []
        common = self.is_common[matches.rows].tolist()
        for position, place, is_common in zip(matches.positions.tolist(), matches.places.tolist(), common, strict=True):
            last = found.get(place - position)
            if last and position < last.position + last.words:
                last.is_common &= is_common
                continue
            found[place - position] = self._extended(position, place, is_common, entry, flat)
            done.append(found[place - position])
        return done

    def _extended(self, position: int, place: int, is_common: bool, entry: np.ndarray, flat: np.ndarray) -> Stretch:
        after = min(len(entry) - position, len(flat) - place)
        before = min(position, place)
        words = self._words(flat[place - before : place + after])
        forward = _num_alike(entry[position : position + after], words[before:])
        backward = _num_alike(entry[position - before : position][::-1], words[:before][::-1])
        return Stretch(position - backward, place - backward, forward + backward, is_common)


def _num_alike(left: np.ndarray, right: np.ndarray) -> int:
    """How many words of two equally long arrays are the same before the first that is not."""
    return int(np.argmin(np.append(left == right, False)))


def _table(grams: np.ndarray) -> np.ndarray:
    """bool[2^k], true at the grams' high bits: at least SLOTS_A_GRAM slots a gram, so that few grams fit a CPU's cache."""
    table = np.zeros(1 << min(max((SLOTS_A_GRAM * len(grams)).bit_length(), 10), MAX_TABLE_BITS), bool)
    table[_slots(grams, table)] = True
    return table


def _slots(grams: np.ndarray, table: np.ndarray) -> np.ndarray:
    return (grams >> np.uint64(65 - len(table).bit_length())).astype(np.intp)


def _said(entries: list[Entry]) -> np.ndarray:
    """bool[N]: whether each word, or border, of the flat array of entries is a word of two letters or more."""
    return np.array([said for e in entries for said in (*(len(w) > 1 and not w[0].isdigit() for w in e.words), False)])
