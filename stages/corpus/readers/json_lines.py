"""JSON lines, plain or compressed: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`; a file, or a folder of them.

    {"text": "Let $x$ be ...", "title": "Roots", "url": "https://...", "license": "CC-BY-4.0"}

A line that is no JSON, no UTF-8 or over 16 MB is a bad record; so is the end of a file that breaks off, at the row where
it does. A line of any length takes no more memory than the limit.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa

from stages.corpus.readers.documents import (
    CHUNK_BYTES,
    MAX_RECORD_BYTES,
    BadRecord,
    Chunk,
    Columns,
    Record,
    as_given,
    files_of,
)

SUFFIXES = tuple(f".{name}{packed}" for name in ("jsonl", "json", "ndjson") for packed in ("", ".gz", ".zst"))
CODECS = {".gz": "gzip", ".zst": "zstd"}


def read_json_lines(path: Path, columns: Columns) -> Iterator[Chunk]:
    for file in files_of(path, SUFFIXES, "jsonl"):
        yield from _file_chunks(file, columns)


def _file_chunks(file: Path, columns: Columns) -> Iterator[Chunk]:
    lines: list[bytes] = []
    first = number = size = 0
    try:
        with open_stream(file) as stream:
            for line in lines_of(stream):
                number += 1
                if isinstance(line, int):
                    detail = f"a line of {line:,} bytes, over {MAX_RECORD_BYTES:,}"
                    yield Chunk(as_given, ([BadRecord(f"{file}:{number}", "too_long", detail)],))
                    line = b""
                lines.append(line)
                size += len(line)
                if size >= CHUNK_BYTES:
                    yield Chunk(parse_lines, (str(file), first, lines, columns))
                    lines, size, first = [], 0, number
    except OSError as error:
        detail = f"the file cannot be read on from this row: {error}"
        yield Chunk(as_given, ([BadRecord(f"{file}:{number + 1}", "broken_file", detail)],))
    if lines:
        yield Chunk(parse_lines, (str(file), first, lines, columns))


def open_stream(file: Path) -> BinaryIO:
    """The file's bytes, decompressed by its suffix; several compressed streams in a row are one."""
    codec = CODECS.get(file.suffix)
    return pa.CompressedInputStream(pa.OSFile(str(file)), codec) if codec else file.open("rb")


def lines_of(stream: BinaryIO) -> Iterator[bytes | int]:
    """The lines without their ends; of a line that is too long, only its length in bytes."""
    tail, dropped = b"", 0
    while block := stream.read(CHUNK_BYTES):
        head, *rest = block.split(b"\n")
        if dropped or len(tail) + len(head) > MAX_RECORD_BYTES:
            dropped += len(tail) + len(head)
            tail = b""
        else:
            tail += head
        if rest:
            yield dropped or tail
            yield from rest[:-1]
            tail, dropped = rest[-1], 0
    if tail or dropped:
        yield dropped or tail


def parse_lines(file: str, first: int, lines: list[bytes], columns: Columns) -> list[Record]:
    """The records of lines that begin after row `first`; blank lines are none."""
    records: list[Record] = []
    for number, line in enumerate(lines, first + 1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            records.append(columns.document(orjson.loads(line), place))
        except orjson.JSONDecodeError as error:
            records.append(BadRecord(place, "unreadable", f"not JSON: {error}"))
    return records
