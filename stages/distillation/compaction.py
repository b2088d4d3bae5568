"""Segments in one published file: the same rows and the same winners, however many files there were.

    compact([Path("data/ledger"), Path(".ledger")], Path("data/ledger")) -> Path("data/ledger/published-3f2a....jsonl")

The file's name is the hash of its content, and its content a function of the segments: who publishes the same ones gets the
same file, and to do it again changes nothing. The files that it replaces go after it is whole, so a kill in between leaves
segments that lie there twice, which is no harm. Each segment begins with a row of kind `segment`; its lines follow as they
are, damaged ones too, but for a cut last row.
"""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from stages.core.files import put_in_place, remove, temporary_of
from stages.distillation.ledger_files import Fault, StoredSegment, segments_in
from stages.distillation.ledger_rows import line_of


def compact(folders: Iterable[Path], published: Path) -> Path | None:
    """Write the segments of some folders as one file into `published` in the place of those that lie there.

    Returns the file; None where there is no segment. What cannot be read stays where it is.
    """
    faults: list[Fault] = []
    segments = segments_in(folders, faults)
    if not segments:
        return None
    for left in published.glob(".published.jsonl.*.tmp"):
        remove(left)  # of a killed process
    temporary, digest = temporary_of(published / "published.jsonl"), hashlib.sha256()
    try:
        with temporary.open("wb") as file:
            for line in (line for segment in segments for line in lines_of(segment, faults)):
                digest.update(line)
                file.write(line)
        path = published / f"published-{digest.hexdigest()[:16]}.jsonl"
        put_in_place(temporary, path)
    finally:
        remove(temporary)
    unread = {fault.path for fault in faults if not fault.line}
    for other in {copy.path for segment in segments for copy in segment.copies} - unread - {path}:
        if other.parent == published:
            other.unlink()
    return path


def lines_of(segment: StoredSegment, faults: list[Fault]) -> Iterator[bytes]:
    """A segment's lines in a file of several."""
    yield line_of({"kind": "segment", "name": segment.name}) + b"\n"
    for line, rows in segment.lines(faults):
        if rows or not faults[-1].is_torn:
            yield line.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n") + b"\n"
