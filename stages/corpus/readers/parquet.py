"""Parquet: a file, or a folder of shards; read a thousand rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.corpus.readers.documents import CHUNK_RECORDS, BadRecord, Chunk, Columns, Record, as_given, files_of


def read_parquet(path: Path, columns: Columns) -> Iterator[Chunk]:
    for file in files_of(path, (".parquet",), "parquet"):
        row = 0
        try:
            with pq.ParquetFile(file, pre_buffer=False) as parquet:
                names = _columns_to_read(parquet.schema_arrow, columns, file)
                for batch in parquet.iter_batches(CHUNK_RECORDS, columns=names, use_threads=False):
                    yield Chunk(parse_batch, (str(file), row, batch, columns))
                    row += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            detail = f"the file cannot be read on from this row: {error}"
            yield Chunk(as_given, ([BadRecord(f"{file}:{row + 1}", "broken_file", detail)],))


def parse_batch(file: str, first: int, batch: pa.RecordBatch, columns: Columns) -> list[Record]:
    return [columns.document(record, f"{file}:{row}") for row, record in enumerate(batch.to_pylist(), first + 1)]


def _columns_to_read(schema: pa.Schema, columns: Columns, file: Path) -> list[str]:
    """The columns that the documents need; a text column that is not there, or no text, ends the stage."""
    wanted = [
        name for names in (columns.text, columns.title, columns.url, columns.license) for name in names.split("|")
    ]
    tops = {name.split(".")[0] for name in wanted}
    text = next((name.split(".")[0] for name in columns.text.split("|") if name.split(".")[0] in schema.names), None)
    if text is None:
        raise StageError(
            f"{file}: column {columns.text!r} is missing (it has {', '.join(schema.names)}). "
            f"Name the text's column with `column: [text=...]` of the source in params.yaml."
        )
    kind = schema.field(text).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_struct(kind)):
        raise StageError(
            f"{file}: column {text!r} has type {kind}, not string. Name another with `column: [text=...]`."
        )
    return [name for name in schema.names if name in tops]
