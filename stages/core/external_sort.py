"""Rows sorted on the disk, where memory cannot hold them: sorted runs of bounded bytes in one file, then merged.

    for row in externally_sorted(rows, key=lambda row: row["place"]): ...

The file has no name: a stage that is killed leaves nothing. It is opened once and written from front to end; a merge reads every run
in blocks. So the number of opens depends neither on the rows nor on their keys, and a network file system sees large reads and writes.
Memory: RUN_BYTES of rows, then a block of each run. Rows that fit into one run are sorted in memory.
"""

import heapq
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import orjson

from stages.core.schemas import Row
from stages.core.work import WORK

RUN_BYTES = 128 << 20
BLOCK_BYTES = 256 << 10
ENTRY_BYTES = 200  # what Python adds to a line and its key

Key = Callable[[Row], Any]
Entry = tuple[Any, bytes]


def externally_sorted(rows: Iterable[Row], key: Key) -> Iterator[Row]:
    """The rows by key; equal keys stay in their order. All rows are taken before the first is given out.

    A row holds strings, integers, booleans, finite floats, None, and lists and dicts of these.
    """
    runs = _Runs()
    for row in rows:
        runs.add(key(row), orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return runs.merged(key)


class _Runs:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.num_bytes = 0
        self.file: BinaryIO | None = None
        self.bounds: list[tuple[int, int]] = []  # of each run in the file

    def add(self, key: Any, line: bytes) -> None:
        self.entries.append((key, line))
        self.num_bytes += len(line) + ENTRY_BYTES
        if self.num_bytes >= RUN_BYTES:
            self._end_run()

    def _end_run(self) -> None:
        if self.file is None:
            WORK.mkdir(exist_ok=True)
            self.file = tempfile.TemporaryFile(dir=WORK)  # noqa: SIM115  # open until the merge has ended
        start = self.file.tell()
        self.file.writelines(line for _, line in self._sorted())
        self.bounds.append((start, self.file.tell()))
        self.entries, self.num_bytes = [], 0

    def _sorted(self) -> list[Entry]:
        self.entries.sort(key=lambda entry: entry[0])
        return self.entries

    def merged(self, key: Key) -> Iterator[Row]:
        last = (orjson.loads(line) for _, line in self._sorted())
        if self.file is None:
            yield from last
            return
        with self.file:
            self.file.flush()
            runs = [_rows_of(self.file.fileno(), start, end) for start, end in self.bounds]
            yield from heapq.merge(*runs, last, key=key)


def _rows_of(file: int, start: int, end: int) -> Iterator[Row]:
    rest = b""
    while start < end:
        block = os.pread(file, min(BLOCK_BYTES, end - start), start)
        if not block:
            raise OSError(f"a temporary file in {WORK} ends early, at byte {start}")
        start += len(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from map(orjson.loads, lines)
