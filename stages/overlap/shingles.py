"""The sets of shingles of all texts, on the disk, and the exact Jaccard index of many pairs of them at once.

    file = ShingleFile(folder)
    file.add(shingles, counts)                              # of the next texts, set after set
    file.end()
    file.jaccard(np.array([7, 9]), np.array([2, 2]))        # float64[2]

A shingle is the high half of its 64-bit hash. Disk: 4 bytes a shingle, 8 a text.
"""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np

MAX_SHINGLES = 1 << 21  # compared at once: some 80 MB
HIGH = np.uint64(32)


class ShingleFile:
    """Written once, text after text, then read at any place."""

    def __init__(self, folder: Path) -> None:
        self.paths = folder / "shingles.bin", folder / "shingle_ends.bin"
        self.sets, self.ends = (path.open("w+b") for path in self.paths)
        self.ends.write(np.zeros(1, np.uint64).tobytes())
        self.num_shingles = 0
        self.bounds = np.zeros(1, np.uint64)  # of the sets, in shingles

    def add(self, shingles: np.ndarray, counts: np.ndarray) -> None:
        """uint32[N] shingles of the next B texts, each text's a set; their counts [B]."""
        self.sets.write(shingles.tobytes())
        self.ends.write((self.num_shingles + np.cumsum(counts, dtype=np.uint64)).tobytes())
        self.num_shingles += len(shingles)

    def end(self) -> None:
        """All texts are there."""
        for file in (self.sets, self.ends):
            file.flush()
        self.bounds = np.memmap(self.paths[1], np.uint64, "r")

    def close(self) -> None:
        """Delete the files."""
        self.bounds = np.zeros(1, np.uint64)  # a mapped file is open
        for file, path in zip((self.sets, self.ends), self.paths, strict=True):
            file.close()
            path.unlink()

    def jaccard(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """float64[P]: the Jaccard index of the sets of each two rows, int64[P] both."""
        if not len(left):
            return np.empty(0)
        sizes = sum(self.bounds[rows + 1] - self.bounds[rows] for rows in (left, right))
        groups = np.cumsum(sizes) // MAX_SHINGLES  # a large pair is alone
        cuts = [*np.flatnonzero(np.diff(groups)) + 1, len(left)]
        parts = [self._jaccard(left[a:b], right[a:b]) for a, b in pairwise([0, *cuts])]
        return np.concatenate(parts)

    def _jaccard(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        rows, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        spans = zip(self.bounds[rows].tolist(), self.bounds[rows + 1].tolist(), strict=True)
        sets = [self._set(*span) for span in spans]
        lengths = np.array([len(one) for one in sets])
        counts = lengths[places]
        pair = np.repeat(np.tile(np.arange(len(left), dtype=np.uint64), 2), counts)
        starts = (np.cumsum(lengths) - lengths)[places] - (np.cumsum(counts) - counts)
        keys = np.concatenate(sets)[np.arange(len(pair)) + np.repeat(starts, counts)] | pair << HIGH
        keys.sort()
        shared = np.bincount((keys[1:][keys[1:] == keys[:-1]] >> HIGH).astype(np.intp), minlength=len(left))
        return shared / np.maximum(counts.reshape(2, -1).sum(axis=0) - shared, 1)

    def _set(self, start: int, end: int) -> np.ndarray:
        return np.frombuffer(os.pread(self.sets.fileno(), 4 * (end - start), 4 * start), np.uint32)
