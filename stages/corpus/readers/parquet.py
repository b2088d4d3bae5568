"""Parquet: a file, or a folder of shards; read in batches that are bounded in rows and in bytes.

A row group's columns are small on the disk where a long text stands in many rows: what a batch holds is judged by what its
rows may decode to. A row group that is damaged costs its own rows; one over `MAX_EXPANSION` times its size is not decoded.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.core.expansion import ALWAYS_ALLOWED_BYTES, MAX_EXPANSION
from stages.core.formats import HEAD_BYTES
from stages.corpus.readers.arrow_values import is_text, python_rows, row_bytes
from stages.corpus.readers.documents import (
    CHUNK_BYTES,
    CHUNK_RECORDS,
    MAX_RECORD_BYTES,
    Chunk,
    Columns,
    Record,
    chunked,
    one_bad,
)
from stages.corpus.readers.source_files import found_files, other_format

SUFFIXES = (".parquet", ".parq", ".pq")
BATCH_BYTES = 8 << 20  # at most, where a row group says so much of its values
MIN_BATCHES = 100  # of a row group whose values' sizes it does not say: ...
UNREADABLE = (pa.ArrowException, OSError, MemoryError)
MAX_UNKNOWN_ROWS = 16  # ... no more rows at once, as each may be as long as the whole


def read_parquet(path: Path, columns: Columns) -> Iterator[Chunk]:
    files, strays = found_files(path, SUFFIXES, "parquet")
    for file in files:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if not head:
            yield one_bad(f"{file}:1", "broken_file", "the file is empty (0 bytes): fetch or write it again")
        elif head.startswith(b"PAR1"):
            yield from _file_chunks(file, columns)
        else:
            yield one_bad(str(file), "other_format", other_format(head, "parquet"))
    yield from chunked(iter(strays))


def _file_chunks(file: Path, columns: Columns) -> Iterator[Chunk]:
    try:
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=CHUNK_BYTES) as parquet:
            names = _columns_to_read(parquet.schema_arrow, columns, file)
            row = 0
            for group in range(parquet.num_row_groups):
                yield from _group_chunks(parquet, group, names, file, row, columns)
                row += parquet.metadata.row_group(group).num_rows
    except UNREADABLE as error:
        yield one_bad(f"{file}:1", "broken_file", f"the file cannot be read: {error}")


def _group_chunks(
    parquet: pq.ParquetFile, group: int, names: list[str], file: Path, row: int, columns: Columns
) -> Iterator[Chunk]:
    """The chunks of one row group, whose first row comes after `row` others."""
    end = row + parquet.metadata.row_group(group).num_rows
    size, packed = _sizes(parquet.metadata.row_group(group), names)
    if size > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * packed):
        detail = f"rows {row + 1:,} to {end:,}: {packed:,} bytes expand to {size:,}. Check the file, or remove it"
        yield one_bad(f"{file}:{row + 1}", "over_expanded", detail)
        return
    try:
        num_rows = _rows_of_a_batch(size, end - row)
        for piece in _pieces(parquet.iter_batches(num_rows, row_groups=[group], columns=names, use_threads=False)):
            if isinstance(piece, int):
                detail = f"{piece:,} bytes, over {MAX_RECORD_BYTES:,}"
                yield one_bad(f"{file}:{row + 1}", "too_long", detail)
                row += 1
            else:
                yield Chunk(parse_batch, (str(file), row, piece, columns))
                row += piece.num_rows
    except UNREADABLE as error:
        detail = f"rows {row + 1:,} to {end:,}, the rest of a row group, cannot be read: {error}"
        yield one_bad(f"{file}:{row + 1}", "broken_file", detail)


def _sizes(group: pq.RowGroupMetaData, names: list[str]) -> tuple[int, int]:
    """Bytes of the columns that are read: uncompressed, and on the disk."""
    chunks = [group.column(number) for number in range(group.num_columns)]
    read = [chunk for chunk in chunks if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in names)]
    return sum(chunk.total_uncompressed_size for chunk in read), sum(chunk.total_compressed_size for chunk in read)


def _rows_of_a_batch(size: int, num_rows: int) -> int:
    """No value is longer than its row group: so many rows cannot decode to more than BATCH_BYTES, or are few.

    >>> _rows_of_a_batch(size=8 << 20, num_rows=300), _rows_of_a_batch(size=60 << 20, num_rows=100_000)
    (3, 16)
    """
    surely = BATCH_BYTES // max(size, 1)
    return max(1, min(surely, CHUNK_RECORDS), min(num_rows // MIN_BATCHES, MAX_UNKNOWN_ROWS))


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch | int]:
    """The rows in batches of CHUNK_BYTES or CHUNK_RECORDS, or of one row; of a row too long for a document, its bytes.

    What came before a batch that cannot be read is given first.
    """
    waiting: list[pa.RecordBatch] = []
    num_rows = num_bytes = 0
    try:
        for batch in batches:
            sizes = sum((row_bytes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))
            if waiting and (num_bytes + sizes.sum() > CHUNK_BYTES or num_rows + len(sizes) > CHUNK_RECORDS):
                yield pa.concat_batches(waiting)
                waiting, num_rows, num_bytes = [], 0, 0
            if sizes.sum() > CHUNK_BYTES:
                for row, size in enumerate(sizes):
                    yield int(size) if size > MAX_RECORD_BYTES else _plain(batch.slice(row, 1))
            else:
                waiting.append(_plain(batch))
                num_rows, num_bytes = num_rows + len(sizes), num_bytes + sizes.sum()
    except UNREADABLE:
        if waiting:
            yield pa.concat_batches(waiting)
        raise
    if waiting:
        yield pa.concat_batches(waiting)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without dictionaries, which would go to the workers whole with each of its rows."""
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def parse_batch(file: str, first: int, batch: pa.RecordBatch, columns: Columns) -> list[Record]:
    return [columns.document(record, f"{file}:{row}") for row, record in enumerate(python_rows(batch), first + 1)]


def _columns_to_read(schema: pa.Schema, columns: Columns, file: Path) -> list[str]:
    """The columns that the documents need; a text column that is not there, twice there, or no text, ends the stage."""
    wanted = [
        name for names in (columns.text, columns.title, columns.url, columns.license) for name in names.split("|")
    ]
    text = next((found for name in columns.text.split("|") if (found := _top(name, schema.names)) is not None), None)
    if text is None:
        raise StageError(
            f"{file}: column {columns.text!r} is missing (it has {', '.join(schema.names)}). "
            f"Name the text's column with `column: [text=...]` of the source in params.yaml."
        )
    if schema.names.count(text) > 1:
        raise StageError(
            f"{file}: column {text!r} occurs {schema.names.count(text)} times. Rewrite the file with one of them."
        )
    kind = schema.field(text).type
    if not (is_text(kind) or pa.types.is_struct(kind) or pa.types.is_null(kind)):  # null: a shard without any text
        raise StageError(
            f"{file}: column {text!r} has type {kind}, not string. Name another with `column: [text=...]`."
        )
    return [name for name in dict.fromkeys(schema.names) if name in {_top(name, schema.names) for name in wanted}]


def _top(path: str, names: list[str]) -> str | None:
    """The column in which a path begins: the whole path may be a name, too."""
    return next((name for name in (path, path.split(".")[0]) if name in names), None)
