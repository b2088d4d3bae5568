"""Exact and near-duplicate texts of a corpus of any size: MinHash-LSH proposes pairs, the exact Jaccard index decides.

    finder = DuplicateFinder(DuplicateRules(...), folder)
    for texts in batches: finder.add(sign(texts, rules))
    finder.find()          # finder.state[i], and finder.original[i]: of which kept text i is a copy

Texts that agree in one of b bands of r MinHashes (stages/overlap/signatures.py) are compared shingle by shingle: what LSH
proposes wrongly is dropped, what it does not propose is missed. Texts come in the order of preference: a text is a
duplicate when it is as similar as `min_jaccard` to an earlier one that stays, never by way of one that goes.

Memory: 5 bytes a text and a few hundred MB, whatever the corpus. Disk, until `close`: for each text 20 bytes, 12 a band
and 4 a shingle, and 16 for each pair that LSH proposes.
"""

from pathlib import Path

import numpy as np

from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.partitions import Partitions
from stages.overlap.shingles import ShingleFile
from stages.overlap.signatures import Signatures

KEPT, EXACT, NEAR = 0, 1, 2
MAX_FIRSTS = 16  # of a crowd that agrees in a band, each text is compared with so many of the first
MAX_PAIRS = 4096  # compared at once: what goes by one of them need not be compared in the next
MAX_TEXTS = 2**32 - 1
RECORD = np.dtype([("key", "<u8"), ("row", "<u4")])
PAIR = np.dtype([("key", "<u8"), ("rows", "<u8")])  # the later row, then the earlier: 32 bits each
HIGH = np.uint64(32)


class DuplicateFinder:
    """Collects signatures in a folder, then says of each text whether it stays."""

    def __init__(self, rules: DuplicateRules, folder: Path) -> None:
        self.rules, self.folder = rules, folder
        self.num_texts = 0
        self.exact, self.bands = Partitions(folder, "exact", RECORD), Partitions(folder, "bands", RECORD)
        self.shingles = ShingleFile(folder)

    def add(self, signatures: Signatures, is_out: np.ndarray | None = None) -> None:
        """Take the next texts; `is_out` bool[B] names those that are out already, which are nobody's original."""
        size = len(signatures.counts)
        assert self.num_texts + size <= MAX_TEXTS, "rows are numbers of 32 bits"
        rows = np.arange(self.num_texts, self.num_texts + size, dtype=np.uint32)
        stays = slice(None) if is_out is None else ~is_out
        bands = signatures.bands[stays]
        self.exact.add(_records(signatures.exact[stays], rows[stays]))
        self.bands.add(_records(bands.ravel(), np.repeat(rows[stays], bands.shape[1])))
        self.shingles.add(signatures.shingles, signatures.counts)
        self.num_texts += size

    def find(self) -> None:
        """Set `state` uint8[num_texts] (KEPT, EXACT, NEAR) and `original` uint32[num_texts] of those that go."""
        self.state = np.zeros(self.num_texts, np.uint8)
        self.original = np.zeros(self.num_texts, np.uint32)
        self.shingles.end()
        for records in self.exact.parts():
            self._drop_equal(records)
        pairs = Partitions(self.folder, "pairs", PAIR)
        for records in self.bands.parts():
            pairs.add(self._pairs(records))
        for part in pairs.parts():
            self._drop_similar(np.unique(part["rows"]))

    def close(self) -> None:
        """Delete what lies on the disk; `state` and `original` stay."""
        self.shingles.close()

    def _drop_equal(self, records: np.ndarray) -> None:
        rows, lengths = _crowds(records)
        is_first = np.zeros(len(rows), bool)
        is_first[np.cumsum(lengths) - lengths] = True
        self.state[rows[~is_first]] = EXACT
        self.original[rows[~is_first]] = np.repeat(rows[is_first], lengths - 1)

    def _pairs(self, records: np.ndarray) -> np.ndarray:
        """Pairs of rows that agree in a band and are still there; the key orders them by the later row."""
        rows, lengths = _crowds(records[self.state[records["row"]] == KEPT])
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        places = np.arange(len(rows)) - starts
        found = [np.empty(0, np.uint64)]
        for number in range(min(MAX_FIRSTS, int(lengths.max(initial=0)))):
            is_later = places > number
            found.append(rows[is_later].astype(np.uint64) << HIGH | rows[starts[is_later] + number])
        both = np.unique(np.concatenate(found))
        pairs = np.empty(len(both), PAIR)
        pairs["rows"] = both
        pairs["key"] = (both >> HIGH) * np.uint64(2**64 // max(self.num_texts, 2))
        return pairs

    def _drop_similar(self, pairs: np.ndarray) -> None:
        """Decide sorted pairs in the order of the later row: whether the earlier one stays is known by then."""
        for start in range(0, len(pairs), MAX_PAIRS):
            chunk = pairs[start : start + MAX_PAIRS]
            later, earlier = (chunk >> HIGH).astype(np.int64), chunk.astype(np.uint32)
            is_open = (self.state[later] == KEPT) & (self.state[earlier] == KEPT)
            self._decide(later[is_open], earlier[is_open])

    def _decide(self, later: np.ndarray, earlier: np.ndarray) -> None:
        """Most copies go by their first pair: the others of such a text are compared only if that original goes."""
        is_first = np.diff(later, prepend=-1) != 0
        is_similar = np.zeros(len(later), bool)
        is_similar[is_first] = self._are_similar(later[is_first], earlier[is_first])
        waits = ~is_first & np.isin(later, later[is_similar])
        is_compared = ~is_first & ~waits
        is_similar[is_compared] = self._are_similar(later[is_compared], earlier[is_compared])
        for number in np.flatnonzero(is_similar | waits).tolist():
            row, first = later[number], earlier[number]
            if self.state[row] == KEPT and self.state[first] == KEPT:
                pair = slice(number, number + 1)
                if is_similar[number] or self._are_similar(later[pair], earlier[pair])[0]:
                    self.state[row], self.original[row] = NEAR, first

    def _are_similar(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self.shingles.jaccard(left, right) >= self.rules.min_jaccard


def _records(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    records = np.empty(len(keys), RECORD)
    records["key"], records["row"] = keys, rows
    return records


def _crowds(records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of each key that occurs twice or more, in order, key after key; and how many each key has."""
    keys = records["key"].copy()
    order = np.argsort(keys)
    is_same = keys[order][1:] == keys[order][:-1]
    order = order[np.concatenate([[False], is_same]) | np.concatenate([is_same, [False]])] if len(keys) else order
    order = order[np.lexsort((records["row"][order], keys[order]))]
    is_first = np.diff(keys[order].view(np.int64), prepend=0) != 0
    is_first[:1] = True
    borders = np.append(np.flatnonzero(is_first), len(order))
    return records["row"][order], np.diff(borders)
