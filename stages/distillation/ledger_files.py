"""The files of the ledger's folders as segments. A segment may lie in several: its live file, a copy, a published file.

    segments = segments_in([Path(".ledger"), Path("data/ledger")], faults)
    for row in segments[0].rows(faults): ...

Of a segment's copies the longest is read; a line that is damaged there is taken from another. A file of several segments
has a row of kind `segment` before each. What cannot be read becomes a `Fault`, with its file and line, and the rest is read.
"""

import mmap
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from stages.distillation.ledger_rows import Row, RowError, is_usd, row_of, rows_in

HEADER = b'{"kind":"segment","name":"'
HEAD_BYTES = 4096
MAX_LINE = 64 << 20  # bytes; a longer line is no row
_KEY = re.compile(rb'"key":"([^"\\]{1,128})"')
_USD = re.compile(rb'"usd".([^,}"]{1,30})', re.DOTALL)
_NUMBER = re.compile(rb'[",:]([0-9][0-9.eE+-]{0,29})[,}]')  # where the name is hit
_BATCH_ID = re.compile(rb'"batch_id":"([^"\\]{1,256})"')
_KEYS = re.compile(rb'"keys":\[([^\]]*)')


@dataclass(frozen=True)
class Fault:
    """What of the ledger cannot be used, and why."""

    path: Path
    line: int  # from 1; 0: the whole file
    reason: str
    key: str = ""  # of the request, where it can be told
    usd: float | None = None  # what the row says it cost, where it is whole
    told_usd: float = 0.0  # what a damaged row says
    num_requests: int = 0  # of a damaged batch
    batch_id: str = ""  # of a damaged batch, where it can be told
    is_torn: bool = False  # the cut last row of a process that was killed
    is_lost: bool = False  # a row that was whole once
    is_unread: bool = False  # a whole file

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        whose = f" (request {self.key})" if self.key else ""
        if self.num_requests:
            whose = f" (batch {self.batch_id} of about {self.num_requests:,} requests, no longer waited for)"
        return f"{where}: {self.reason}{whose}"


@dataclass(frozen=True)
class Copy:
    """A segment's part of a file."""

    path: Path
    start: int
    end: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(number in the part, line with its end) of the lines that are not blank; OSError where it cannot be read."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            number = 0
            while (left := self.end - file.tell()) > 0 and (line := file.readline(min(left, MAX_LINE))):
                if line.strip():
                    yield number, line
                number += 1

    def line_in_file(self, number: int) -> int:
        with self.path.open("rb") as file:
            return file.read(self.start).count(b"\n") + number + 1


@dataclass
class StoredSegment:
    name: str
    copies: list[Copy] = field(default_factory=list)

    def rows(self, faults: list[Fault]) -> Iterator[Row]:
        """Its rows, in the order in which they were written; what cannot be used is added to the faults."""
        for _, rows in self.lines(faults):
            yield from rows

    def lines(self, faults: list[Fault]) -> Iterator[tuple[bytes, list[Row]]]:
        """Each line, of its best copy, with the rows that it holds: one, or what is left of a damaged line."""
        for index, (copy, number, line) in enumerate(self._lines(faults)):
            try:
                rows = [row_of(line)]
            except RowError as error:
                if spare := self._spare(index):
                    line, rows = spare
                else:
                    rows = rows_in(line) if error.row is None else []
                    faults.append(fault_in(copy, number, line, error, rows))
            yield line, rows

    def _lines(self, faults: list[Fault]) -> Iterator[tuple[Copy, int, bytes]]:
        """The lines of the longest copy that can be read, from another one where it cannot be read on."""
        index = 0
        for copy in self._ranked:
            try:
                for position, (number, line) in enumerate(copy.lines()):
                    if position >= index:
                        index = position + 1
                        yield copy, number, line
                return
            except OSError as error:
                reason = f"the file cannot be read ({error.strerror})"
                faults.append(Fault(copy.path, 0, reason, is_unread=copy is self._ranked[-1]))

    @property
    def _ranked(self) -> list[Copy]:
        return sorted(self.copies, key=lambda copy: copy.start - copy.end)

    def _spare(self, index: int) -> tuple[bytes, list[Row]] | None:
        """The line of another copy at this place, where it is whole."""
        for lines in self._spares:
            try:
                return lines[index], [row_of(lines[index])]
            except (IndexError, RowError):
                continue
        return None

    @cached_property
    def _spares(self) -> list[list[bytes]]:
        spares = []
        for copy in self._ranked[1:]:
            try:
                spares.append([line for _, line in copy.lines()])
            except OSError:
                continue
        return spares


def fault_in(copy: Copy, number: int, line: bytes, error: RowError, rows: list[Row]) -> Fault:
    """What is wrong in a line that held `rows` besides."""
    row = error.row or {}
    key = row.get("key") if isinstance(row.get("key"), str) else ""
    if found := None if rows or row else _KEY.search(line):
        key = found[1].decode("utf-8", "replace")
    is_torn = not error.row and not rows and not line.endswith(b"\n") and len(line) < MAX_LINE
    reason = "the last row is cut: its process was killed" if is_torn else f"a row cannot be used: {error}"
    if rows:
        reason = f"the line's end is damaged, the rows in it that are whole are read ({len(rows)})"
    is_lost = not rows and not is_torn and error.row is None
    usd = row["usd"] if is_usd(row.get("usd")) else None
    place = (copy.path, copy.line_in_file(number), reason)
    if not is_lost:
        return Fault(*place, key or "", usd, is_torn=is_torn)
    if is_end_of_batch(line):  # its batch stays open, at its worst case
        return Fault(*place)
    batch_id = _BATCH_ID.search(line)
    return Fault(*place, key or "", usd, told_usd(line), num_requests_in(line), _text(batch_id), is_lost=True)


def _text(found: re.Match[bytes] | None) -> str:
    return found[1].decode("utf-8", "replace") if found else ""


def num_requests_in(line: bytes) -> int:
    """How many requests a damaged row of kind `batch` holds, rather too many; 0 for another kind."""
    if sum(mark in line for mark in (b'"kind":"batch"', b'"batch_id":"', b'"keys":["')) < 2:
        return 0
    keys = _KEYS.search(line)
    return (keys[1] if keys else line).count(b'","') + 1


def is_end_of_batch(line: bytes) -> bool:
    return not num_requests_in(line) and (b'"batch_end"' in line or b'"batch_id":"' in line)


def told_usd(line: bytes) -> float:
    """The cost in a damaged line; 0 where it says none, or where another has paid."""
    found = _USD.search(line) or (None if b'"usd"' in line else _NUMBER.search(line))
    if not found or b'"via":"import"' in line:
        return 0.0
    number = found[1]
    mended = re.sub(rb"[^0-9.eE+-]", b"9" if b"." in number else b".", number)
    for digits in (number, number[:-1], mended):  # of the last two, a comma behind it or one of its own digits is hit
        with suppress(ValueError):
            return usd if is_usd(usd := float(digits)) else 0.0
    return 0.0


def segments_in(folders: Iterable[Path], faults: list[Fault]) -> list[StoredSegment]:
    """The segments of some folders, in the order of their names."""
    segments: dict[str, StoredSegment] = {}
    for path in sorted({path for folder in folders if folder.is_dir() for path in folder.glob("*.jsonl")}):
        try:
            if not path.is_file():
                faults.append(Fault(path, 0, "this is no file: it is not read"))
                continue
            for name, copy in copies_in(path):
                segments.setdefault(name, StoredSegment(name)).copies.append(copy)
        except OSError as error:
            faults.append(Fault(path, 0, f"the file cannot be read ({error.strerror})", is_unread=True))
    return [segments[name] for name in sorted(segments)]


def copies_in(path: Path) -> Iterator[tuple[str, Copy]]:
    """(segment's name, where its rows are) of a file."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if HEADER not in file.read(HEAD_BYTES):
            yield path.name, Copy(path, 0, size)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            headers = [(0, 0, path.name), *_headers(content), (size, size, "")]
    for (_, start, name), (end, _, _) in pairwise(headers):
        if end > start:
            yield name, Copy(path, start, end)


def _headers(content: mmap.mmap) -> Iterator[tuple[int, int, str]]:
    """(begin, end, segment's name) of the rows that say whose rows follow."""
    position = content.find(HEADER)
    while position >= 0:
        end = content.find(b"\n", position) + 1 or len(content)
        if position == 0 or content[position - 1 : position] in (b"\n", b"\xbf"):
            with suppress(RowError):  # its line is told as damaged where the segment before it is read
                yield 0 if position <= len(BOM_UTF8) else position, end, row_of(content[position:end])["name"]
        position = content.find(HEADER, position + 1)
