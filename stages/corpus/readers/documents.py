"""What every reader gives: chunks of documents, or of records that cannot be one.

    Document(text="Let $x$ ...", title="Roots", url="https://...", license="CC-BY-4.0", place="web.jsonl.gz:17")
    BadRecord(place="web.jsonl.gz:18", reason="unreadable", detail="not JSON: unexpected end of data")

A reader yields chunks rather than documents, so that the parsing is done by the workers: a chunk names a function and
the raw lines or rows to give it. Every record of a source becomes a document or a bad record; none is passed over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.corpus.sections import parse_column

CHUNK_BYTES = 1 << 20
CHUNK_RECORDS = 1000
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
    """A record that cannot be read; reasons: unreadable, too_long, broken_file."""

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
        return self.parse(*self.arguments)


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

    def document(self, record: Any, place: str) -> Record:
        if not isinstance(record, dict):
            return BadRecord(place, "unreadable", f"a {type(record).__name__}, not an object with columns")
        text = dig(record, self.text)
        if not isinstance(text, str):
            found = "is missing" if text is None else f"holds a {type(text).__name__}, not a string"
            return BadRecord(
                place, "unreadable", f"column {self.text!r} {found} (columns: {', '.join(map(str, record))})"
            )
        if len(text) > MAX_RECORD_BYTES:
            return BadRecord(place, "too_long", f"{len(text):,} characters, over {MAX_RECORD_BYTES:,}")
        others = {name: dig(record, getattr(self, name)) for name in ("title", "url", "license")}
        fields = {name: str(value) for name, value in others.items() if value is not None}
        return Document(text, place=place, **{**self.fixed, **fields})


def dig(record: dict[str, Any], names: str) -> Any:
    """The first of the alternatives that is there and not null."""
    for path in names.split("|"):
        value: Any = record
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def files_of(path: Path, suffixes: tuple[str, ...], kind: str) -> list[Path]:
    """The file, or a folder's files of these suffixes, at any depth, by name."""
    if not path.exists():
        raise StageError(f"{path} is missing. Correct `path` of the source in params.yaml (kind {kind}).")
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(suffixes))
    if not files:
        raise StageError(
            f"{path} is a folder without a file of {', '.join(suffixes)} (kind {kind}). "
            f"Correct `path` or `kind` of the source in params.yaml."
        )
    return files


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
