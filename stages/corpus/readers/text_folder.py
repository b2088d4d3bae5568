"""A folder of files, one document each, known by their suffix: Markdown, text, LaTeX, HTML, reStructuredText, PDF.

    mine: {kind: text, path: inputs/mine}        # in params.yaml

Suffixes count in any case, with .gz, .bz2, .xz or .zst behind them, too. The title is the one that the text states, else the
file's name; the address is the one that a page calls its own (stages/corpus/titles.py). Cleaning tells the formats apart by
their content (stages/corpus/cleaning.py). What is not read is a bad record with its reason.
"""

from collections.abc import Iterator
from pathlib import Path

from stages.core.expansion import SUFFIXES as COMPRESSED
from stages.core.expansion import BrokenFile, expanded
from stages.core.formats import HEAD_BYTES, PDF, format_of
from stages.corpus.readers.documents import (  # fmt: skip
    CHUNK_BYTES,
    CHUNK_RECORDS,
    MAX_RECORD_BYTES,
    BadRecord,
    Chunk,
    Columns,
    Document,
    Record,
    chunked,
)
from stages.corpus.readers.legacy_encodings import text_of
from stages.corpus.readers.source_files import found_files, other_format
from stages.corpus.titles import PAGE, stated_title, stated_url

SUFFIXES = (".txt", ".text", ".md", ".markdown", ".tex", ".rst", ".html", ".htm", ".xhtml", ".pdf")
MAX_PDF_BYTES = 256 << 20  # most of a large PDF is pictures


def read_text_folder(path: Path, columns: Columns) -> Iterator[Chunk]:
    endings = (*SUFFIXES, *(suffix + end for suffix in SUFFIXES for end in COMPRESSED))
    files, strays = found_files(path, endings, "text", SUFFIXES)
    yield from (Chunk(_records, (some,)) for some in _in_batches(files))
    yield from chunked(iter(strays))


def _in_batches(files: list[Path]) -> Iterator[list[Path]]:
    """The files in lists of about CHUNK_BYTES, each the work of one process."""
    batch: list[Path] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.stat().st_size
        if size >= CHUNK_BYTES or len(batch) >= CHUNK_RECORDS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _records(files: list[Path]) -> list[Record]:
    return [record for file in files for record in _records_of(file)]


def _records_of(file: Path) -> list[Record]:
    try:
        content = _content(file)
    except (BrokenFile, OSError) as error:
        reason = error.reason if isinstance(error, BrokenFile) else "broken_file"
        return [BadRecord(str(file), reason, f"it cannot be read: {error}")]
    found = format_of(content[:HEAD_BYTES])
    if found is PDF or (found is None and _suffix(file) == ".pdf"):
        from stages.corpus.readers.pdf import pdf_records

        return pdf_records(file, content)
    if len(content) > MAX_RECORD_BYTES:
        return [BadRecord(str(file), "too_long", f"over {MAX_RECORD_BYTES:,} bytes")]
    if found or (_suffix(file) not in SUFFIXES and content.lstrip()[:1] == b"{"):  # named itself, without --kind jsonl
        return [BadRecord(str(file), "other_format", other_format(content[:HEAD_BYTES], "text"))]
    try:
        text = text_of(content)
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#x} at {error.start}"
        detail = f"neither Unicode nor Latin-1: {byte}. Convert it (`iconv -f ENCODING -t utf-8`)"
        return [BadRecord(str(file), "unreadable", detail)]
    suffix = _suffix(file)
    url = stated_url(text) if suffix in PAGE else ""
    return [Document(text, stated_title(text, suffix) or _bare(file).stem, url, place=str(file))]


def _content(file: Path) -> bytes:
    """The file's bytes, expanded; a little more than the limit where it has more.

    Raises:
        BrokenFile, OSError: it cannot be read to its end.
    """
    blocks, size = [], 0
    limit = MAX_PDF_BYTES if _suffix(file) == ".pdf" else MAX_RECORD_BYTES
    for block in expanded(file):
        blocks.append(block)
        size += len(block)
        if size > limit:
            break
    return b"".join(blocks)


def _suffix(file: Path) -> str:
    return _bare(file).suffix.lower()


def _bare(file: Path) -> Path:
    """The name without the suffix of a compression."""
    return file.with_suffix("") if file.suffix.lower() in COMPRESSED else file
