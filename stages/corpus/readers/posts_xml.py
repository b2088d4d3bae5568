"""The rows of a Stack Exchange dump's XML, one after the other, in flat memory and within limits.

    for row in rows_of(Path("Posts.xml")): ...      # {"Id": "3", "PostTypeId": "1", ...}, or a BadRecord

A row that is not XML costs itself alone: reading goes on at the next `<row`. Entities are refused, as a few bytes of them
expand without end; a row's text may have MAX_ROW_BYTES.
"""

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from xml.parsers.expat import ExpatError, ParserCreate

from stages.core.expansion import BrokenFile, expanded
from stages.core.formats import HEAD_BYTES, format_of
from stages.corpus.readers.documents import MAX_RECORD_BYTES, BadRecord
from stages.corpus.readers.source_files import other_format

MAX_ROW_BYTES = 2 * MAX_RECORD_BYTES  # as it is written, with its escapes
OPENING, ROW = b"<posts>", b"<row"
GO_ON = re.compile(rb"<row\s|</")
MARKS = (b"<", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # with which XML begins

PostRow = dict[str, str] | BadRecord
Fault = tuple[str, str]  # reason, detail


class _DeclaredTypeError(Exception):
    """A document type, which is where entities are declared."""


def rows_of(path: Path) -> Iterator[PostRow]:
    """The rows and what stands in their place, in order; the place is the file with the number among them."""
    for number, row in enumerate(_found(path), 1):
        yield row if isinstance(row, dict) else BadRecord(f"{path}:{number}", *row)


def _found(path: Path) -> Iterator[dict[str, str] | Fault]:
    rows = _Rows()
    try:
        blocks = expanded(path)  # of a megabyte: expat looks at an unfinished row anew each time
        head = next(blocks, b"")
        if fault := _other_format(head):
            yield fault
            return
        for block in chain([head], blocks):
            yield from rows.feed(block)
        yield from rows.end()
    except BrokenFile as error:
        yield error.reason, f"the file cannot be read on from this row: {error}"
    except _DeclaredTypeError:
        detail = "it declares a document type (<!DOCTYPE>), which no dump has: its entities could expand without limit"
        yield "over_expanded", f"{detail}. Take the declaration out"


def _other_format(head: bytes) -> Fault | None:
    if not head.strip() or (head.lstrip().startswith(MARKS) and not format_of(head)):
        return None
    return "other_format", other_format(head[:HEAD_BYTES], "stackexchange")


class _Rows:
    """The parser, and where to go on after a fault."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []
        self.carried = b""  # while rows are looked for: the end of what was seen
        self.is_lost = False
        self._start(None)

    def _start(self, encoding: str | None) -> None:
        self.parser = ParserCreate(encoding)
        self.parser.StartElementHandler = self._element
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.num_fed = self.num_waiting = 0  # to this parser; since its last element

    def _element(self, tag: str, attributes: dict[str, str]) -> None:
        self.num_waiting = 0
        if tag == "row":
            self.found.append(attributes)

    def _doctype(self, *_: object) -> None:
        raise _DeclaredTypeError

    def feed(self, block: bytes) -> Iterator[dict[str, str] | Fault]:
        while block := self._from_next_row(block) if self.is_lost else block:
            self.num_waiting += len(block)
            try:
                self.parser.Parse(block, False)
                rest, fault = b"", self._too_long()
            except ExpatError as error:
                at = self._after_fault(block)
                rest, fault = block[at:], ("unreadable", f"not XML: {error}")
            self.num_fed += len(block)
            yield from self.found
            self.found.clear()
            if fault:
                self.is_lost, self.carried = True, b""
                yield fault
            block = rest

    def _after_fault(self, block: bytes) -> int:
        """Where to look for the next row: at the fault itself if that is a row's beginning, which the one before has not ended."""
        at = max(self.parser.ErrorByteIndex - self.num_fed, -1)
        before = block[: max(at, 0)].rstrip()
        is_next_row = block.startswith(ROW, at) and before and not before.endswith(b">")
        return at if is_next_row else at + 1

    def _too_long(self) -> Fault | None:
        return ("too_long", f"a row of over {MAX_ROW_BYTES:,} bytes") if self.num_waiting > MAX_ROW_BYTES else None

    def _from_next_row(self, block: bytes) -> bytes:
        """The block from its next row, or the end of the document, on; nothing where there is neither."""
        block = self.carried + block
        found = GO_ON.search(block)
        if not found:
            self.carried = block[-4:]
            return b""
        self.is_lost = False
        self._start("utf-8")
        self.parser.Parse(OPENING, False)
        self.num_fed = len(OPENING)
        return block[found.start() :]

    def end(self) -> Iterator[Fault]:
        """What is wrong with the end of the file."""
        try:
            self.parser.Parse(b"", True)
        except ExpatError as error:
            yield "broken_file", f"the file cannot be read on from this row: {error}"
