"""Results of programs, kept as they come and shared by the stages of this checkout, its processes and its machines.

    cache = cache_in(Path(".work/executions"))
    cache.put("1f0c...9a", Execution("ok", "42\\n", ""))      # on the disk when this returns
    cache.get("1f0c...9a")  ->  Execution("ok", "42\\n", ""), or None

A cache: its folder may be deleted at any time. Each process appends to a segment of its own (segments.py); memory holds 16 bytes
a result.
"""

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np

from stages.core.files import remove
from stages.execution.sandbox import Execution
from stages.execution.segments import content_of, hash_of, line_of, merge_small, new_name, read_records, segments_in

MAX_RECENT = 100_000  # results that are not in the sorted arrays yet
MAX_OPEN = 64
OFFSET_BITS = 40

_caches: dict[tuple[int, Path], "ExecutionCache"] = {}


def cache_in(folder: Path) -> "ExecutionCache":
    """The cache of this process in a folder, with what other processes have kept since."""
    key = os.getpid(), folder.absolute()
    if key not in _caches:
        _caches[key] = ExecutionCache(folder)
    _caches[key].refresh()
    return _caches[key]


class ExecutionCache:
    """Safe for threads; not across a fork. Keys are 32 hex digits."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            remove(folder)  # it is a cache: what cannot be read is made anew
        folder.mkdir(parents=True, exist_ok=True)
        merge_small(folder)
        self.folder = folder
        self.writer = SegmentWriter(folder)
        self.lock = threading.Lock()
        self.numbers: dict[str, int] = {}  # of the segments, by their names
        self.ends: dict[str, int] = {}  # up to where each is known
        self.open: dict[str, int] = {}  # descriptors; a file that others remove is read to the end
        self.hashes = np.empty(0, np.uint64)  # sorted; of equal ones the last came last
        self.places = np.empty(0, np.uint64)  # a segment's number and an offset in it
        self.recent: dict[int, int] = {}

    def put(self, key: str, execution: Execution) -> None:
        """Keep a result; one that is not final is none.

        Raises:
            OSError: it cannot be written.
        """
        if not execution.is_final:
            return
        content = json.dumps({name: value for name, value in asdict(execution).items() if name != "is_final"})
        with self.lock:
            name, offset, self.ends[name] = self.writer.append(line_of(key, content.encode()))
            self.recent[hash_of(key)] = self._number(name) << OFFSET_BITS | offset
            if len(self.recent) >= MAX_RECENT:
                self._sort_in(np.empty(0, np.uint64), np.empty(0, np.uint64))

    def get(self, key: str) -> Execution | None:
        """The result that was last kept under the key."""
        with self.lock:
            places = self._places_of(hash_of(key))
            content = self._found(key, places)
            if content is None and places:  # its segment was merged with others, or cut short
                self._refresh()
                content = self._found(key, self._places_of(hash_of(key)))
        return Execution(**json.loads(content)) if content else None

    def refresh(self) -> None:
        """See what other processes have appended."""
        with self.lock:
            self._refresh()

    def _refresh(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        hashes, places = [], []
        for name, size in segments_in(self.folder):
            if size > self.ends.get(name, 0):
                records, self.ends[name] = read_records(self.folder / name, self.ends.get(name, 0))
                hashes.append(records["hash"])
                places.append(records["offset"] | np.uint64(self._number(name) << OFFSET_BITS))
        if hashes:
            self._sort_in(np.concatenate(hashes), np.concatenate(places))

    def _sort_in(self, hashes: np.ndarray, places: np.ndarray) -> None:
        """Take new records, and the recent ones, into the sorted arrays."""
        count = len(self.recent)
        own = (np.fromiter(part, np.uint64, count) for part in (self.recent.keys(), self.recent.values()))
        own_hashes, own_places = own
        hashes = np.concatenate([self.hashes, hashes, own_hashes])
        places = np.concatenate([self.places, places, own_places])
        order = np.argsort(hashes, kind="stable")
        self.hashes, self.places, self.recent = hashes[order], places[order], {}

    def _places_of(self, number: int) -> list[int]:
        """Where results of this hash are, the last first."""
        low, high = (np.searchsorted(self.hashes, np.uint64(number), side) for side in ("left", "right"))
        recent = [self.recent[number]] if number in self.recent else []
        return [*recent, *map(int, self.places[low:high][::-1])]

    def _found(self, key: str, places: list[int]) -> bytes | None:
        names = list(self.numbers)
        for place in places:
            name, offset = names[place >> OFFSET_BITS], place & ((1 << OFFSET_BITS) - 1)
            try:
                content = content_of(self._line(name, offset), key)
            except OSError:
                self._close(name)
                continue
            if content is not None:
                return content
        return None

    def _line(self, name: str, offset: int) -> bytes:
        """The line at a place, without its break."""
        descriptor, line, size = self._descriptor(name), b"", 4096
        while b"\n" not in line and (block := os.pread(descriptor, size, offset + len(line))):
            line, size = line + block, 1 << 16
        return line.partition(b"\n")[0]

    def _descriptor(self, name: str) -> int:
        if name not in self.open:
            if len(self.open) >= MAX_OPEN:
                self._close(next(iter(self.open)))
            self.open[name] = os.open(self.folder / name, os.O_RDONLY | os.O_CLOEXEC)
        return self.open[name]

    def _close(self, name: str) -> None:
        if name in self.open:
            os.close(self.open.pop(name))

    def _number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


class SegmentWriter:
    """The segment of this process, made with its first line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name, self.descriptor, self.is_torn = folder, "", -1, False

    def append(self, line: bytes) -> tuple[str, int, int]:
        """Write a line whole; returns the segment's name, the line's offset and its end."""
        if (
            not self.name or not (self.folder / self.name).exists()
        ):  # removed, or taken by another host for one that is over
            self._begin()
        start = os.fstat(self.descriptor).st_size + self.is_torn
        rest = b"\n" + line if self.is_torn else line
        self.is_torn = True
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]
        self.is_torn = False
        return self.name, start, start + len(line)

    def _begin(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.is_torn = new_name(), False
        flags = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self.descriptor = os.open(self.folder / self.name, flags, 0o666)
