"""Exact and near-duplicate texts of a corpus of any size: MinHash-LSH proposes pairs, the exact Jaccard index decides.

    finder = DuplicateFinder(DuplicateRules(...), folder)
    for texts in batches: finder.add(sign(texts, rules))
    finder.find()          # dropped[i], and of which kept text i is a copy

A text is a set of shingles: five words in a row, as `stages/overlap/words.py` reads them. Two texts of which the Jaccard
index is J agree in one MinHash with probability J, so in one of b bands of r with 1 - (1 - J^r)^b (Broder 1997; Leskovec
et al., Mining of Massive Datasets, ch. 3). Pairs that agree in a band are compared shingle by shingle: what LSH proposes
wrongly is dropped, what it does not propose is missed. Texts come in the order of preference: a text is a duplicate when
it is as similar as `min_jaccard` to an earlier one that stays, never by way of one that goes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rensa

from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.partitions import Partitions
from stages.overlap.words import WordHashes, mix, ngram_hashes, words_of

KEPT, EXACT, NEAR = 0, 1, 2
NUM_PARTS = 256
MAX_FIRSTS = 16  # of a crowd that agrees in a band, each text is compared with so many of the first
RECORD = np.dtype([("key", "<u8"), ("row", "<u8")])
PAIR = np.dtype([("key", "<u8"), ("later", "<u8"), ("earlier", "<u8")])
SEED = 1
PLACE = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Signatures:
    """Of a batch of B texts: exact keys uint64[B], band keys uint64[B, num_bands], shingles uint32[...] and their counts [B]."""

    exact: np.ndarray
    bands: np.ndarray
    shingles: np.ndarray
    counts: np.ndarray


_hashes = WordHashes()


def sign(texts: list[str], rules: DuplicateRules) -> Signatures:
    """The signatures of a batch of texts; a text of no words is known by its characters."""
    words = [words_of(text) or [text] for text in texts]
    return sign_words(_hashes.flat(words), [len(one) for one in words], rules)


def sign_words(flat: np.ndarray, lengths: list[int], rules: DuplicateRules) -> Signatures:
    """The same, of the texts' words in one array with a border after each (`WordHashes.flat`), and their numbers > 0."""
    counts = np.array(lengths, dtype=np.int64)
    starts = np.cumsum(counts + 1) - counts - 1
    places = np.arange(len(flat), dtype=np.uint64) - np.repeat(starts, counts + 1).astype(np.uint64)
    in_order = mix(flat + places * PLACE)
    in_order[starts + counts] = 0
    exact = np.bitwise_xor.reduceat(in_order, starts) if len(starts) else np.empty(0, np.uint64)
    grams = next(ngram_hashes(flat, [rules.shingle_words]))
    shingles = [
        _shingles(flat, grams, *span, rules.shingle_words) for span in zip(starts.tolist(), lengths, strict=True)
    ]
    sizes = np.array([len(one) for one in shingles], dtype=np.uint32)
    joined = np.concatenate(shingles) if shingles else np.empty(0, np.uint64)
    bands = _bands(joined, sizes, rules) if rules.min_jaccard else np.empty((len(counts), 0), np.uint64)
    return Signatures(mix(exact), bands, (joined >> np.uint64(32)).astype(np.uint32), sizes)


def _shingles(flat: np.ndarray, grams: np.ndarray, start: int, length: int, n: int) -> np.ndarray:
    """The sorted set of a text's shingles; a text of fewer words is one shingle."""
    if length < n:
        return next(ngram_hashes(flat[start : start + length], [length]))
    found = np.sort(grams[start : start + length - n + 1])
    is_again = found[1:] == found[:-1]
    return found[np.concatenate([[True], ~is_again])] if is_again.any() else found


def _bands(flat: np.ndarray, counts: np.ndarray, rules: DuplicateRules) -> np.ndarray:
    """uint64[B, num_bands]: a hash of each band's MinHashes and its number, so that bands never meet each other."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    num_perm = rules.num_bands * rules.band_rows
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, num_perm, SEED)
    minhashes = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(counts), rules.num_bands, rules.band_rows)
    keys = np.broadcast_to(mix(np.arange(1, rules.num_bands + 1, dtype=np.uint64)), minhashes.shape[:2])
    for row in range(rules.band_rows):
        keys = mix(keys ^ minhashes[:, :, row])
    return keys


class DuplicateFinder:
    """Collects signatures in a folder, then says of each text whether it stays. Memory: 9 bytes a text, and one part."""

    def __init__(self, rules: DuplicateRules, folder: Path) -> None:
        self.rules, self.folder = rules, folder
        self.num_texts = self.num_shingles = 0
        self.exact = Partitions(folder, "exact", RECORD, NUM_PARTS).__enter__()
        self.bands = Partitions(folder, "bands", RECORD, NUM_PARTS).__enter__()
        self.shingles = (folder / "shingles.bin").open("w+b")
        self.offsets = (folder / "offsets.bin").open("w+b")
        self.offsets.write(np.zeros(1, np.uint64).tobytes())

    def add(self, signatures: Signatures, is_out: np.ndarray) -> None:
        """Take the next texts; `is_out` bool[B] names those that are out already, which are nobody's original."""
        rows = np.arange(self.num_texts, self.num_texts + len(signatures.counts), dtype=np.uint64)
        self.exact.add(_records(signatures.exact[~is_out], rows[~is_out]))
        bands = signatures.bands[~is_out]
        self.bands.add(_records(bands.ravel(), np.repeat(rows[~is_out], bands.shape[1])))
        self.shingles.write(signatures.shingles.tobytes())
        ends = self.num_shingles + np.cumsum(signatures.counts, dtype=np.uint64)
        self.offsets.write(ends.tobytes())
        self.num_texts += len(rows)
        self.num_shingles = int(ends[-1]) if len(ends) else self.num_shingles

    def find(self) -> None:
        """Set `state` uint8[num_texts] (KEPT, EXACT, NEAR) and `original` uint64[num_texts] of those that go."""
        for file in (self.exact, self.bands):
            file.__exit__()
        self.shingles.flush()
        self.offsets.flush()
        self.state = np.zeros(self.num_texts, np.uint8)
        self.original = np.zeros(self.num_texts, np.uint64)
        for records in self.exact.parts():
            self._drop_equal(records)
        with Partitions(self.folder, "pairs", PAIR, NUM_PARTS) as pairs:
            for records in self.bands.parts():
                pairs.add(self._pairs(records))
        for part in pairs.parts():
            self._drop_similar(part)

    def close(self) -> None:
        self.shingles.close()
        self.offsets.close()

    def _drop_equal(self, records: np.ndarray) -> None:
        records = np.sort(records, order=("key", "row"))
        for start, end in _runs(records["key"]):
            rows = records["row"][start:end]
            self.state[rows[1:]] = EXACT
            self.original[rows[1:]] = rows[0]

    def _pairs(self, records: np.ndarray) -> np.ndarray:
        """Pairs of rows that agree in a band and are still there; the key orders them by the later row."""
        records = np.sort(records[self.state[records["row"]] == KEPT], order=("key", "row"))
        later: list[np.ndarray] = []
        earlier: list[np.ndarray] = []
        for start, end in _runs(records["key"]):
            rows = records["row"][start:end]
            for number, first in enumerate(rows[:MAX_FIRSTS]):
                later.append(rows[number + 1 :])
                earlier.append(np.full(len(rows) - number - 1, first, np.uint64))
        if not later:
            return np.empty(0, PAIR)
        pairs = np.empty(sum(map(len, later)), PAIR)
        pairs["later"], pairs["earlier"] = np.concatenate(later), np.concatenate(earlier)
        pairs["key"] = pairs["later"] * np.uint64(2**64 // max(self.num_texts, 2))
        return np.unique(pairs)

    def _drop_similar(self, pairs: np.ndarray) -> None:
        """Decide the pairs in the order of the later row: whether the earlier one stays is known by then."""
        for _, later, earlier in np.unique(pairs).tolist():
            is_open = self.state[later] == KEPT and self.state[earlier] == KEPT
            if is_open and self.jaccard(later, earlier) >= self.rules.min_jaccard:
                self.state[later] = NEAR
                self.original[later] = earlier

    def jaccard(self, one: int, other: int) -> float:
        """The exact Jaccard index of two texts' sets of shingles."""
        left, right = self._shingles_of(one), self._shingles_of(other)
        shared = len(np.intersect1d(left, right, assume_unique=True))
        return shared / max(len(left) + len(right) - shared, 1)

    def _shingles_of(self, row: int) -> np.ndarray:
        start, end = np.frombuffer(os.pread(self.offsets.fileno(), 16, 8 * row), np.uint64).tolist()
        return np.frombuffer(os.pread(self.shingles.fileno(), 4 * (end - start), 4 * start), np.uint32)


def _records(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    records = np.empty(len(keys), RECORD)
    records["key"], records["row"] = keys, rows
    return records


def _runs(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """The spans of two or more equal keys in a sorted array."""
    borders = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]])) if len(keys) else np.zeros(1, int)
    lengths = np.diff(borders)
    for start, length in zip(borders[:-1][lengths > 1].tolist(), lengths[lengths > 1].tolist(), strict=True):
        yield start, start + length
