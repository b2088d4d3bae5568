"""Records on the disk, parted by a key's high bits, so that equal keys lie in one part and a part fits into memory.

    partitions = Partitions(folder, "bands", np.dtype([("key", "<u8"), ("row", "<u4")]))
    partitions.add(records)                     # a structured array
    for records in partitions.parts(): ...      # every record with this part's keys

Few records never leave memory, as one part. More go to one file: each time MEMORY_BYTES are full they are written in the
order of their parts, and a part is read from as many places. So memory holds MEMORY_BYTES or a part, one file is open, and
256 parts of 1 GB hold 20 billion records of 12 bytes: 25 bands of 800 million texts.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MEMORY_BYTES = 32 << 20
NUM_PARTS = 256
SHIFT = np.uint64(64 - 8)


class Partitions:
    """`dtype` has a uint64 `key`; its values should be spread evenly, as hashes are."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype) -> None:
        self.dtype, self.path = dtype, folder / f"{name}.bin"
        self.path.unlink(missing_ok=True)
        self.waiting: list[np.ndarray] = []
        self.num_bytes = 0  # of what waits
        self.bounds: list[np.ndarray] = []  # of each write: where its parts begin and end in the file, in records

    def add(self, records: np.ndarray) -> None:
        self.waiting.append(records)
        self.num_bytes += records.nbytes
        if self.num_bytes >= MEMORY_BYTES:
            self._write()

    def parts(self) -> Iterator[np.ndarray]:
        """Each part's records, in the order in which they were added; the file is deleted afterwards."""
        if not self.bounds:
            yield self._taken()
            return
        self._write()
        with self.path.open("rb", buffering=0) as file:
            for part in range(NUM_PARTS):
                yield np.concatenate([self._read(file.fileno(), *bounds[part : part + 2]) for bounds in self.bounds])
        self.path.unlink()

    def _taken(self) -> np.ndarray:
        records = np.concatenate([np.empty(0, self.dtype), *self.waiting])
        self.waiting, self.num_bytes = [], 0
        return records

    def _write(self) -> None:
        records = self._taken()
        part = (records["key"] >> SHIFT).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        done = self.bounds[-1][-1] if self.bounds else 0
        self.bounds.append(done + np.searchsorted(part[order], np.arange(NUM_PARTS + 1)))
        with self.path.open("ab") as file:
            records[order].tofile(file)

    def _read(self, file: int, start: int, end: int) -> np.ndarray:
        size = self.dtype.itemsize
        return np.frombuffer(os.pread(file, int(end - start) * size, int(start) * size), self.dtype)
