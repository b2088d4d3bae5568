"""Runs inside the sandbox, beside zygote.py: fixed buffers for what programs are and say, overwritten after each.

    out = Buffer(64 << 10)
    out.read_from(pipe)         ->  18, the bytes that came; 0 at the pipe's end
    out.write_to(1); out.clear()

A fork has all memory of the process that it comes from, what is free there included. So no byte that a program has chosen becomes an
object of the interpreter that forks for each: the next program could find it there.
"""

import os
import re

BLOCK_BYTES = 1 << 16
_content = bytearray(2 * BLOCK_BYTES)  # more than a line of /proc, whose longest part is a path
_view = memoryview(_content)


class Buffer:
    """Keeps the first `limit` bytes of what it reads; what comes after them is overwritten by what comes next."""

    def __init__(self, limit: int) -> None:
        self.limit, self.count, self.used = limit, 0, 0
        self.content = bytearray(limit + BLOCK_BYTES)
        self.view = memoryview(self.content)

    def read_from(self, descriptor: int) -> int:
        """Read once; returns the number of bytes, 0 at the end."""
        start = min(self.count, self.limit)
        size = os.readv(descriptor, [self.view[start : start + BLOCK_BYTES]])
        self.count = start + size
        self.used = max(self.used, self.count)
        return size

    @property
    def kept(self) -> memoryview:
        return self.view[: min(self.count, self.limit)]

    def write_to(self, descriptor: int) -> None:
        """Write what is kept."""
        write_all(descriptor, self.kept)

    def clear(self) -> None:
        """Overwrite whatever was read."""
        self.view[: self.used] = bytes(self.used)
        self.count = self.used = 0


def matches(path: str, pattern: re.Pattern[bytes]) -> list[tuple[bytes, ...]]:
    """The groups of all places of a file of /proc where the pattern is found; of the file, nothing else stays in memory.

    Lines are looked at whole. Names of processes and paths are programs' own choices, so no group may hold one.

    Raises:
        OSError: the file cannot be read; ProcessLookupError where the process has ended.
    """
    descriptor, found, count, used = os.open(path, os.O_RDONLY), list[tuple[bytes, ...]](), 0, 0
    try:
        while size := os.readv(descriptor, [_view[count:]]):
            count += size
            used = max(used, count)
            end = _content.rfind(b"\n", 0, count) + 1
            found += [one.groups() for one in pattern.finditer(_content, 0, end)]
            _view[: count - end] = _view[end:count]
            count -= end
    finally:
        os.close(descriptor)
        _view[:used] = bytes(used)
    return found


def write_all(descriptor: int, content: memoryview | bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
