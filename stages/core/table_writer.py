"""The Parquet tables between stages, written: an explicit schema each, in shards, whole or not at all.

    write_table("texts", rows, Path("data/corpus/web.parquet"))
    with TableWriter("texts", Path("data/corpus/web/texts")) as writer:  # part-00000.parquet, part-00001.parquet, ...
        writer.write(frame)

What a shard and its row groups hold depends on the rows alone, so equal rows are equal bytes, however they come. A table whose path
ends in `.parquet` is one file where one shard suffices, else a folder of that name.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.core.files import put_in_place, remove, temporary_of
from stages.core.parallel import batched
from stages.core.row_groups import RowGroups, row_bytes
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
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
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
        self.groups = RowGroups(ROW_GROUP_ROWS, ROW_GROUP_BYTES)
        self.pending: list[pa.Table] = []
        self.shard_bytes = 0

    def write(self, batch: pa.RecordBatch | pa.Table | pl.DataFrame) -> None:
        schema = SCHEMAS[self.schema_name]
        if isinstance(batch, pl.DataFrame):
            batch = arrow_of(batch, schema)
        table = pa.Table.from_batches([batch], schema) if isinstance(batch, pa.RecordBatch) else batch
        sizes = row_bytes(pl.DataFrame(pl.from_arrow(table)))
        for start, stop, is_full in self.groups.cut(sizes):
            self.pending.append(table.slice(start, stop - start))
            self.shard_bytes += int(sizes[start:stop].sum())
            if is_full:
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
        self.pending = []
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
