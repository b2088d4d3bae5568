"""What every reader gives: chunks of documents, or of records that cannot be one.

    Document(text="Let $x$ ...", title="Roots", url="https://...", license="CC-BY-4.0", place="web.jsonl.gz:17")
    BadRecord(place="web.jsonl.gz:18", reason="unreadable", detail="not JSON: unexpected end of data")

A reader yields chunks rather than documents, so that the parsing is done by the workers: a chunk names a function and
the raw lines or rows to give it. Every record of a source becomes a document or a bad record; none is passed over.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from stages.core.redaction import printable
from stages.corpus.sections import parse_column

CHUNK_BYTES = 1 << 20
CHUNK_RECORDS = 1000
MAX_TOLD_CHARS = 300  # of a record's column names
LONE = re.compile("[\ud800-\udfff]")
MAX_RECORD_BYTES = 16 << 20  # what a worker holds of one record; a book has some megabytes, more is a data dump


@dataclass(frozen=True)
class Document:
    text: str
    title: str = ""
    url: str = ""
    license: str = ""
    place: str = ""  # file and row


@dataclass(frozen=True)
class BadRecord:
    """What cannot be read; reasons: unreadable, too_long (a record), other_format, broken_file, over_expanded, encrypted, scanned (a file)."""

    place: str
    reason: str
    detail: str


Record = Document | BadRecord


@dataclass(frozen=True)
class Chunk:
    """Records to parse in a worker; `parse` is a function of a module, so that the chunk can be pickled."""

    parse: Callable[..., list[Record]]
    arguments: tuple[Any, ...]

    def records(self) -> list[Record]:
        return [storable(record) for record in self.parse(*self.arguments)]


def storable(record: Record) -> Record:
    """The record without lone surrogates, which no table can hold: half a character, or a byte of a file's name."""
    fields: dict[str, str] = vars(record)
    if record.place.isprintable() and not any(not text.isascii() and LONE.search(text) for text in fields.values()):
        return record
    mended = {name: LONE.sub("\ufffd", text) for name, text in fields.items()}
    mended["place"] = _visible(record.place)
    return Document(**mended) if isinstance(record, Document) else BadRecord(**mended)


def _visible(place: str) -> str:
    """A place in one line: a file's name may hold any byte."""
    return printable(place.encode("utf-8", "backslashreplace").decode()).replace("\n", "\\n")


def as_given(records: list[Record]) -> list[Record]:
    """The `parse` of a chunk whose records are parsed already."""
    return records


@dataclass(frozen=True)
class Columns:
    """Where in a record a document's fields stand.

    A name may be a path (`meta.url`), and have alternatives, of which the first that is there counts (`url|meta.url`).
    """

    text: str = "text"
    title: str = "title"
    url: str = "url"
    license: str = "license"
    fixed: dict[str, str] = field(default_factory=dict)  # what the whole source states, such as its license

    @classmethod
    def parse(cls, assignments: tuple[str, ...]) -> "Columns":
        """From options such as `text=content`."""
        return replace(cls(), **dict(map(parse_column, assignments)))  # type: ignore[arg-type]

    def document(self, record: Any, place: str, fault: str = "") -> Record:
        """The record's document; `fault` is what was found before, told where the text is missing."""
        before = f"{fault}; " if fault else ""
        if not isinstance(record, dict):
            return BadRecord(place, "unreadable", f"{before}a {type(record).__name__}, not an object with columns")
        text = dig(record, self.text)
        if isinstance(text, bytes):
            try:
                text = text.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                return BadRecord(place, "unreadable", f"column {self.text!r} is not UTF-8: {error.reason}")
        if not isinstance(text, str):
            found = "is missing" if text is None else f"holds a {type(text).__name__}, not a string"
            detail = f"{before}column {self.text!r} {found} (columns: {', '.join(map(str, record))[:MAX_TOLD_CHARS]})"
            return BadRecord(place, "unreadable", detail)
        if len(text) > MAX_RECORD_BYTES:
            return BadRecord(place, "too_long", f"{len(text):,} characters, over {MAX_RECORD_BYTES:,}")
        others = {name: dig(record, getattr(self, name)) for name in ("title", "url", "license")}
        fields = {name: _text_of(value) for name, value in others.items() if value is not None}
        return Document(text, place=place, **{**self.fixed, **fields})


def _text_of(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def dig(record: dict[str, Any], names: str) -> Any:
    """The first of the alternatives that is there and not null; a column's own name may hold dots."""
    for path in names.split("|"):
        value: Any = record.get(path)
        if value is None:
            value = record
            for key in path.split("."):
                value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def one_bad(place: str, reason: str, detail: str) -> Chunk:
    """The chunk of one record that cannot be read."""
    return Chunk(as_given, ([BadRecord(place, reason, detail)],))


def chunked(records: Iterator[Record]) -> Iterator[Chunk]:
    """Chunks of records that are parsed already."""
    chunk: list[Record] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record.text) if isinstance(record, Document) else 0
        if len(chunk) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
            yield Chunk(as_given, (chunk,))
            chunk, size = [], 0
    if chunk:
        yield Chunk(as_given, (chunk,))
