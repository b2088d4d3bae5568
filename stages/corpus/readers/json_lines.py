"""JSON lines, plain or compressed: `.jsonl`, `.jsonl.gz`, `.jsonl.zst` ...; a file, or a folder of them.

    {"text": "Let $x$ be ...", "title": "Roots", "url": "https://...", "license": "CC-BY-4.0"}

A line that cannot be read, or is over 16 MB, is a bad record; so is the end of a file that breaks off, at the row where it
does. What only one column's value has of no JSON (NaN, bytes that are not UTF-8) costs that column alone. How a file is
compressed, and its encoding, are known by its first bytes. A line of any length takes no more memory than the limit.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from stages.core.expansion import BrokenFile, expanded
from stages.core.foreign_json import parse_json
from stages.core.formats import format_of
from stages.core.lines import numbered_lines, utf8_blocks
from stages.corpus.readers.documents import (
    CHUNK_BYTES,
    MAX_RECORD_BYTES,
    BadRecord,
    Chunk,
    Columns,
    Record,
    chunked,
    one_bad,
)
from stages.corpus.readers.source_files import found_files, other_format

PACKED = ("", ".gz", ".zst", ".bz2", ".xz")
SUFFIXES = tuple(f".{name}{packed}" for name in ("jsonl", "json", "ndjson") for packed in PACKED)
CHUNK_LINES = 10_000
OBJECT = re.compile(rb"(?:^|[\n\r])[ \t]*\{[ \t]*[^\s]")  # a line that begins an object and does not end there
JSON_LIST = re.compile(rb"\s*\[\s*\{")

Line = tuple[int, bytes]


def read_json_lines(path: Path, columns: Columns) -> Iterator[Chunk]:
    files, strays = found_files(path, SUFFIXES, "jsonl")
    yield from read_files(files, columns)
    yield from chunked(iter(strays))


def read_files(files: Iterable[Path], columns: Columns) -> Iterator[Chunk]:
    for file in files:
        yield from _file_chunks(file, columns)


def _file_chunks(file: Path, columns: Columns) -> Iterator[Chunk]:
    lines: list[Line] = []
    number = size = 0
    try:
        blocks = utf8_blocks(expanded(file))
        head = next(blocks, b"")
        if detail := _other_format(head):
            yield one_bad(str(file), "other_format", detail)
            return
        for number, line in numbered_lines(chain([head], blocks), MAX_RECORD_BYTES):
            if isinstance(line, int):
                yield from _chunk(file, lines, columns)
                yield one_bad(f"{file}:{number}", "too_long", f"a line of {line:,} bytes, over {MAX_RECORD_BYTES:,}")
                lines, size = [], 0
                continue
            lines.append((number, line))
            size += len(line)
            if size >= CHUNK_BYTES or len(lines) >= CHUNK_LINES:
                yield from _chunk(file, lines, columns)
                lines, size = [], 0
    except BrokenFile as error:
        yield from _chunk(file, lines, columns)
        lines = []
        yield one_bad(f"{file}:{number + 1}", error.reason, f"the file cannot be read on from this row: {error}")
    yield from _chunk(file, lines, columns)


def _chunk(file: Path, lines: list[Line], columns: Columns) -> Iterable[Chunk]:
    return [Chunk(parse_lines, (str(file), lines, columns))] if lines else []


def _other_format(head: bytes) -> str:
    """What a file that begins so is instead of JSON lines; "" where it may hold some.

    A damaged first line is no other format: it is one if no line of the first block begins as a record does.
    """
    if format_of(head) or JSON_LIST.match(head):
        return other_format(head, "jsonl")
    is_unknown = b"\0" in head or len(head.split(maxsplit=1)) == 0 or not re.search(rb"[\n\r]", head.strip())
    if is_unknown or OBJECT.search(head) or head.lstrip().startswith(b"["):
        return ""
    if head.lstrip().startswith(b"{"):
        return "JSON with a record on several lines: convert it with `jq -c .`"
    begin = head.lstrip()[:80].decode("utf-8", "replace").split("\n")[0]
    return f"not JSON lines: no line begins with {{ (the first: {begin!r}). Convert the file, or correct `kind`"


def parse_lines(file: str, lines: list[Line], columns: Columns) -> list[Record]:
    """The records of numbered lines."""
    records: list[Record] = []
    for number, line in lines:
        place = f"{file}:{number}"
        try:
            records.append(columns.document(*_parsed(line, place)))
        except ValueError as error:
            records.append(BadRecord(place, "unreadable", str(error)))
    return records


def _parsed(line: bytes, place: str) -> tuple[object, str, str]:
    value, fault = parse_json(line)
    return value, place, fault
