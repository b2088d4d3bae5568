"""The Parquet tables between stages, written: an explicit schema each, in shards, whole or not at all.

    write_table("texts", rows, Path("data/corpus/web.parquet"))
    with TableWriter("texts", Path("data/corpus/web/texts")) as writer:  # part-00000.parquet, part-00001.parquet, ...
        writer.write(frame)

What a shard and its row groups hold depends on the rows alone, so equal rows are equal bytes, however they come. A table whose path
ends in `.parquet` is one file where one shard suffices, else a folder of that name.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.core.files import put_in_place, remove, temporary_of
from stages.core.parallel import batched
from stages.core.schemas import SCHEMAS, Row
from stages.core.tables import BATCH_ROWS, arrow_of

ROW_GROUP_ROWS, ROW_GROUP_BYTES = 65_536, 32 << 20
SHARD_BYTES = 256 << 20  # of a shard's columns in memory; zstd leaves a third of it on the disk


def table_batch(schema_name: str, rows: list[Row], place: str, first: int = 0) -> pa.RecordBatch:
    """The rows as one record batch; `place` and a row's number, from `first`, begin the message when it does not fit."""
    schema = SCHEMAS[schema_name]
    for number, row in enumerate(rows, first):
        if row.keys() != set(schema.names):
            wrong = sorted(row.keys() ^ set(schema.names))
            raise StageError(f"{place}: row {number} does not fit the table {schema_name}: missing or unknown {wrong}")
    try:
        return pa.RecordBatch.from_pylist(rows, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise StageError(f"{place}: a value does not fit the table {schema_name}: {error}") from error


def write_table(schema_name: str, rows: Iterable[Row], path: Path) -> int:
    """Write rows under the named schema to `path`, whole or not at all; returns the number of rows."""
    with TableWriter(schema_name, path) as writer:
        for batch in batched(rows, BATCH_ROWS):
            writer.write_rows(batch)
    return writer.num_rows


class TableWriter:
    """A table written in batches; it takes its place, whole, when the block ends without an error."""

    def __init__(self, schema_name: str, path: Path) -> None:
        self.schema_name, self.path = schema_name, path
        self.temporary = temporary_of(path)
        self.num_rows = 0
        self.shards: list[Path] = []
        self.file: pq.ParquetWriter | None = None
        self.pending: list[pa.Table] = []
        self.pending_rows = self.pending_bytes = self.shard_bytes = 0

    def write(self, batch: pa.RecordBatch | pa.Table | pl.DataFrame) -> None:
        schema = SCHEMAS[self.schema_name]
        if isinstance(batch, pl.DataFrame):
            batch = arrow_of(batch, schema)
        table = pa.Table.from_batches([batch], schema) if isinstance(batch, pa.RecordBatch) else batch
        ends = np.cumsum(_row_bytes(table))
        start = 0
        while start < table.num_rows:
            before = int(ends[start - 1]) if start else 0
            full = int(np.searchsorted(ends, before + ROW_GROUP_BYTES - self.pending_bytes)) + 1
            stop = min(table.num_rows, start + ROW_GROUP_ROWS - self.pending_rows, full)
            self.pending.append(table.slice(start, stop - start))
            self.pending_rows += stop - start
            self.pending_bytes += int(ends[stop - 1]) - before
            start = stop
            if self.pending_rows >= ROW_GROUP_ROWS or self.pending_bytes >= ROW_GROUP_BYTES:
                self._end_row_group()
        self.num_rows += table.num_rows

    def write_rows(self, rows: list[Row]) -> None:
        """Rows of the table; as many as a batch may hold, which is less than 2 GB."""
        if rows:
            self.write(table_batch(self.schema_name, rows, str(self.path), self.num_rows))

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None:
                if not self.num_rows:
                    self.pending.append(SCHEMAS[self.schema_name].empty_table())
                self._end_row_group()
                self._end_shard()
                is_file = self.path.suffix == ".parquet" and len(self.shards) == 1
                put_in_place(self.shards[0] if is_file else self.temporary, self.path)
        finally:
            if self.file:
                self.file.close()
            remove(self.temporary)

    def _end_row_group(self) -> None:
        if not self.pending:
            return
        if not self.file:
            self._begin_shard()
        assert self.file is not None
        self.file.write_table(pa.concat_tables(self.pending).combine_chunks(), row_group_size=ROW_GROUP_ROWS)
        self.shard_bytes += self.pending_bytes
        self.pending, self.pending_rows, self.pending_bytes = [], 0, 0
        if self.shard_bytes >= SHARD_BYTES:
            self._end_shard()

    def _begin_shard(self) -> None:
        self.temporary.mkdir(exist_ok=True)
        self.shards.append(self.temporary / f"part-{len(self.shards):05d}.parquet")
        self.file = pq.ParquetWriter(self.shards[-1], SCHEMAS[self.schema_name], compression="zstd")

    def _end_shard(self) -> None:
        if self.file:
            self.file.close()
        self.file, self.shard_bytes = None, 0


def _row_bytes(table: pa.Table) -> np.ndarray:
    """int64[N]: about the bytes of each row."""
    sizes = np.zeros(table.num_rows, np.int64)
    for column in table.combine_chunks().columns:
        sizes += _cell_bytes(column.chunk(0)) if column.num_chunks else 0
    return sizes


def _cell_bytes(column: pa.Array) -> np.ndarray:
    if pa.types.is_string(column.type):
        return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if pa.types.is_list(column.type):
        ends = np.cumsum(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
        inner = np.concatenate([[0], np.cumsum(_cell_bytes(column.flatten()), dtype=np.int64)])
        return np.asarray(np.diff(inner[np.concatenate([[0], ends])]))
    return np.full(len(column), 8, np.int64)
