"""A folder of text files, one document each: `.txt`, `.md`, `.tex`, `.rst`, `.html`; the title is the file's name."""

from collections.abc import Iterator
from pathlib import Path

from stages.corpus.readers.documents import (
    MAX_RECORD_BYTES,
    BadRecord,
    Chunk,
    Columns,
    Document,
    Record,
    chunked,
    files_of,
)

SUFFIXES = (".txt", ".md", ".tex", ".rst", ".html", ".htm")


def read_text_folder(path: Path, columns: Columns) -> Iterator[Chunk]:
    return chunked(_record(file) for file in files_of(path, SUFFIXES, "text"))


def _record(file: Path) -> Record:
    if file.stat().st_size > MAX_RECORD_BYTES:
        return BadRecord(str(file), "too_long", f"{file.stat().st_size:,} bytes, over {MAX_RECORD_BYTES:,}")
    try:
        return Document(file.read_text(encoding="utf-8"), title=file.stem, url="", license="", place=str(file))
    except UnicodeDecodeError as error:
        return BadRecord(str(file), "unreadable", f"not UTF-8: byte {error.object[error.start]:#x} at {error.start}")
