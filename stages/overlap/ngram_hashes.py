"""Hashes of n words in a row, for all words of a batch at once: 64 bits each, in numpy arrays.

    for grams in ngram_hashes(flat, [5, 8]): ...    # grams[i] is the hash of flat[i : i + n]

A batch of texts is one flat array with a border after each text (stages/overlap/word_hashes.py), so that no n-gram that
crosses two texts equals one of a text. The lowest bit of a word's hash is set for numbers, and for them alone.
"""

from collections.abc import Iterable, Iterator

import numpy as np

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
NUMBER = np.uint64(0x2545F4914F6CDD1D)  # of every number, where numbers are abstracted
ONE = np.uint64(1)


def abstract_numbers(hashes: np.ndarray) -> np.ndarray:
    """The hashes with every number as the same word."""
    return np.where(hashes & ONE, NUMBER, hashes)


def ngram_hashes(hashes: np.ndarray, sizes: Iterable[int]) -> Iterator[np.ndarray]:
    """uint64[N - n + 1] for each n of `sizes`, which ascend: a hash of each n words in a row; empty when N < n."""
    result = hashes
    done = 1
    for size in sizes:
        for offset in range(done, size):
            count = max(len(hashes) - offset, 0)
            result = result[:count] * MULTIPLIER
            result ^= result >> np.uint64(29)
            result += hashes[offset : offset + count]
        done = size
        yield result


def mix(hashes: np.ndarray) -> np.ndarray:
    """A bijection of uint64 that spreads every bit (the finalizer of MurmurHash3)."""
    hashes = hashes ^ (hashes >> np.uint64(33))
    hashes = hashes * np.uint64(0xFF51AFD7ED558CCD)
    hashes ^= hashes >> np.uint64(33)
    hashes *= np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))
