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
MAX_BATCHES = 10_000  # of a row group, so that many short rows are not read one by one ...
MAX_UNKNOWN_ROWS = 32  # ... but no more than this many at once, where each may be as long as the whole


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
    except (pa.ArrowException, OSError, MemoryError) as error:
        yield one_bad(f"{file}:1", "broken_file", f"the file cannot be read: {error}")


def _group_chunks(
    parquet: pq.ParquetFile, group: int, names: list[str], file: Path, row: int, columns: Columns
) -> Iterator[Chunk]:
    """The chunks of one row group, whose first row comes after `row` others."""
    end = row + parquet.metadata.row_group(group).num_rows
    size, packed = _sizes(parquet.metadata.row_group(group), names)
    if size > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * packed):
        detail = f"rows {row + 1:,} to {end:,}: {packed:,} bytes expand to {size:,}. Check the file, or take it out"
        yield one_bad(f"{file}:{row + 1}", "over_expanded", detail)
        return
    try:
        num_rows = _rows_of_a_batch(size, end - row)
        for batch in parquet.iter_batches(num_rows, row_groups=[group], columns=names, use_threads=False):
            yield from _batch_chunks(batch, file, row, columns)
            row += batch.num_rows
    except (pa.ArrowException, OSError, MemoryError) as error:
        detail = f"rows {row + 1:,} to {end:,}, the rest of a row group, cannot be read: {error}"
        yield one_bad(f"{file}:{row + 1}", "broken_file", detail)


def _sizes(group: pq.RowGroupMetaData, names: list[str]) -> tuple[int, int]:
    """Bytes of the columns that are read: uncompressed, and on the disk."""
    chunks = [group.column(number) for number in range(group.num_columns)]
    read = [chunk for chunk in chunks if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in names)]
    return sum(chunk.total_uncompressed_size for chunk in read), sum(chunk.total_compressed_size for chunk in read)


def _rows_of_a_batch(size: int, num_rows: int) -> int:
    """No value is longer than its row group: so many rows cannot decode to more than BATCH_BYTES.

    >>> _rows_of_a_batch(size=8 << 20, num_rows=300), _rows_of_a_batch(size=60 << 20, num_rows=100_000)
    (1, 10)
    """
    surely = BATCH_BYTES // max(size, 1)
    return max(1, min(surely, CHUNK_RECORDS), min(num_rows // MAX_BATCHES, MAX_UNKNOWN_ROWS))


def _batch_chunks(batch: pa.RecordBatch, file: Path, row: int, columns: Columns) -> Iterator[Chunk]:
    """A batch in pieces of CHUNK_BYTES, or of one row; what is too long for a document is not decoded."""
    sizes = sum((row_bytes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))
    start = 0
    while start < len(sizes):
        if sizes[start] > MAX_RECORD_BYTES:
            detail = f"{sizes[start]:,} bytes, over {MAX_RECORD_BYTES:,}"
            yield one_bad(f"{file}:{row + start + 1}", "too_long", detail)
            start += 1
            continue
        fits = np.flatnonzero((np.cumsum(sizes[start:]) > CHUNK_BYTES) | (sizes[start:] > MAX_RECORD_BYTES))
        end = start + max(1, int(fits[0])) if len(fits) else len(sizes)
        piece = batch.take(pa.array(np.arange(start, end))) if end - start < len(sizes) else batch
        yield Chunk(parse_batch, (str(file), row + start, piece, columns))
        start = end


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
            f"{file}: column {text!r} is there {schema.names.count(text)} times. Write the file again with one of them."
        )
    kind = schema.field(text).type
    if not (is_text(kind) or pa.types.is_struct(kind)):
        raise StageError(
            f"{file}: column {text!r} has type {kind}, not string. Name another with `column: [text=...]`."
        )
    return [name for name in dict.fromkeys(schema.names) if name in {_top(name, schema.names) for name in wanted}]


def _top(path: str, names: list[str]) -> str | None:
    """The column in which a path begins: the whole path may be a name, too."""
    return next((name for name in (path, path.split(".")[0]) if name in names), None)
