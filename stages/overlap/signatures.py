"""What is kept of a text to find its duplicates: a key of all its words, its shingles, and a key for each band of MinHashes.

    signatures = sign(["Tom has 3 apples ...", ...], DuplicateRules(shingle_words=5, num_bands=25, band_rows=5, ...))

A shingle is `shingle_words` words in a row. Two texts whose sets of shingles have the Jaccard index J agree in one MinHash
with probability J, so in one of b bands of r with 1 - (1 - J^r)^b (Broder 1997; Leskovec et al., Mining of Massive
Datasets, ch. 3).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import rensa

from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.ngram_hashes import mix, ngram_hashes
from stages.overlap.word_hashes import HashedWords, hash_words

SEED = 1
THREADS = "RAYON_NUM_THREADS"
PLACE = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Signatures:
    """Of B texts: exact keys uint64[B], band keys uint64[B, num_bands], shingles uint32[...] and their counts [B].

    Without near-duplicates (`min_jaccard` 0) there are neither bands nor shingles.
    """

    exact: np.ndarray
    bands: np.ndarray
    shingles: np.ndarray
    counts: np.ndarray


def sign(texts: list[str], rules: DuplicateRules) -> Signatures:
    """The signatures of a batch of texts; a text of no words is known by its characters."""
    return sign_words(hash_words(texts), rules)


def sign_words(hashed: HashedWords, rules: DuplicateRules) -> Signatures:
    """The same, of the texts' words."""
    size = len(hashed.counts)
    if not rules.min_jaccard or not size:
        nothing = np.empty((size, 0), np.uint64), np.empty(0, np.uint32), np.zeros(size, np.int64)
        return Signatures(_exact(hashed), *nothing)
    grams, owners = _grams(hashed, rules.shingle_words)
    bands = _bands(grams, np.bincount(owners), rules)
    return Signatures(_exact(hashed), bands, *_shingles(grams, owners, size))


def _exact(hashed: HashedWords) -> np.ndarray:
    """uint64[B]: a hash of all words in their order."""
    places = np.arange(len(hashed.flat), dtype=np.uint64)
    places -= np.repeat(hashed.starts, hashed.counts + 1).astype(np.uint64)
    in_order = mix(hashed.flat + places * PLACE)
    in_order[hashed.starts + hashed.counts] = 0
    return mix(np.bitwise_xor.reduceat(in_order, hashed.starts)) if len(hashed.starts) else in_order


def _grams(hashed: HashedWords, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all n words in a row, text after text, and whose they are; a text of fewer words is one of them."""
    counts, starts = hashed.counts, hashed.starts
    sizes = np.minimum(counts, n)
    numbers = counts - sizes + 1
    owners = np.repeat(np.arange(len(counts)), numbers)
    places = np.arange(len(owners)) + np.repeat(starts - (np.cumsum(numbers) - numbers), numbers)
    found = np.unique(sizes).tolist()
    grams = np.empty(len(owners), np.uint64)
    for size, hashes in zip(found, ngram_hashes(hashed.flat, found), strict=True):
        is_of_size = slice(None) if len(found) == 1 else sizes[owners] == size
        grams[is_of_size] = hashes[places[is_of_size]]
    return grams, owners


def _shingles(grams: np.ndarray, owners: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Each text's set of shingles, sorted, and how many they are: the text's number and the hash are sorted as one."""
    bits = np.uint64(max(size - 1, 1).bit_length())
    keys = np.sort(owners.astype(np.uint64) << (np.uint64(64) - bits) | grams >> bits)
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    counts = np.bincount((keys >> (np.uint64(64) - bits)).astype(np.intp), minlength=size)
    return (keys >> (np.uint64(32) - bits)).astype(np.uint32), counts


def _bands(grams: np.ndarray, counts: np.ndarray, rules: DuplicateRules) -> np.ndarray:
    """uint64[B, num_bands]: a hash of each band's MinHashes and its number, so that bands never meet each other."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    num_perm = rules.num_bands * rules.band_rows
    with _one_thread():
        matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(grams, offsets, num_perm, SEED)
    minhashes = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(counts), rules.num_bands, rules.band_rows)
    keys = np.broadcast_to(mix(np.arange(1, rules.num_bands + 1, dtype=np.uint64)), minhashes.shape[:2])
    for row in range(rules.band_rows):
        keys = mix(keys ^ minhashes[:, :, row])
    return keys


@contextmanager
def _one_thread() -> Iterator[None]:
    """rensa makes its threads at the first large batch; a worker forked after that would wait for them for ever."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[THREADS]
        if before is not None:
            os.environ[THREADS] = before
