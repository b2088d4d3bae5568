"""Records on the disk, parted by a key's high bits, so that equal keys lie in one part and a part fits into memory.

    with Partitions(folder, "bands", np.dtype([("key", "<u8"), ("row", "<u8")]), 256) as partitions:
        partitions.add(records)                 # a structured array
    for records in partitions.parts(): ...      # every record with this part's keys

The whole is as large as the disk allows; memory holds one part and 64 KB a part while writing.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

WRITE_BUFFER_BYTES = 1 << 16


class Partitions:
    """`dtype` begins with a uint64 `key`; its values should be spread evenly, as hashes are."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype, num_parts: int) -> None:
        assert num_parts & (num_parts - 1) == 0, "a power of two"
        self.dtype, self.num_parts = dtype, num_parts
        self.shift = np.uint64(64 - num_parts.bit_length() + 1)
        self.paths = [folder / f"{name}-{part:04d}.bin" for part in range(num_parts)]
        self.files: list[BinaryIO] = []

    def __enter__(self) -> "Partitions":
        self.files = [path.open("wb", buffering=WRITE_BUFFER_BYTES) for path in self.paths]
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.files:
            file.close()

    def add(self, records: np.ndarray) -> None:
        part = (records["key"] >> self.shift).astype(np.intp) if self.num_parts > 1 else np.zeros(len(records), np.intp)
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(self.num_parts + 1))
        records = records[order]
        for number, (start, end) in enumerate(pairwise(bounds)):
            if end > start:
                self.files[number].write(records[start:end].tobytes())

    def parts(self) -> Iterator[np.ndarray]:
        """Each part's records, in the order in which they were added; its file is deleted afterwards."""
        for path in self.paths:
            yield np.fromfile(path, dtype=self.dtype)
            path.unlink()
