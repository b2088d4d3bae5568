"""A folder of text files, one document each: `.txt`, `.md`, `.tex`, `.rst`, `.html`; the title is the file's name."""

from collections.abc import Iterator
from pathlib import Path

from stages.core.formats import HEAD_BYTES, format_of
from stages.core.lines import decoded
from stages.corpus.readers.documents import MAX_RECORD_BYTES, BadRecord, Chunk, Columns, Document, Record, chunked
from stages.corpus.readers.source_files import found_files, other_format

SUFFIXES = (".txt", ".md", ".tex", ".rst", ".html", ".htm")


def read_text_folder(path: Path, columns: Columns) -> Iterator[Chunk]:
    files, strays = found_files(path, SUFFIXES, "text")
    yield from chunked(map(_record, files))
    yield from chunked(iter(strays))


def _record(file: Path) -> Record:
    try:
        if file.stat().st_size > MAX_RECORD_BYTES:
            return BadRecord(str(file), "too_long", f"{file.stat().st_size:,} bytes, over {MAX_RECORD_BYTES:,}")
        content = file.read_bytes()
    except OSError as error:
        return BadRecord(str(file), "broken_file", f"it cannot be read: {error}")
    if format_of(content[:HEAD_BYTES]):
        return BadRecord(str(file), "other_format", other_format(content[:HEAD_BYTES], "text"))
    try:
        return Document(decoded(content), title=file.stem, place=str(file))
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#x} at {error.start}"
        return BadRecord(str(file), "unreadable", f"not UTF-8: {byte}. Convert it (`iconv -f latin1 -t utf-8`)")
