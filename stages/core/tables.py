"""The Parquet tables between stages: an explicit schema each, written atomically, read with clear errors.

    write_table("texts", rows, Path("data/corpus/web.parquet"))
    rows = read_table("texts", Path("data/corpus/web.parquet"))

What may be larger than memory is a folder of shards, written and read in batches:

    with TableWriter("texts", Path("data/corpus/web/texts")) as writer:  # part-00000.parquet, part-00001.parquet, ...
        writer.write(batch)
    for batch in read_batches("texts", Path("data/corpus/web/texts")): ...

A row of `texts`: {"text_id": "3f2a...", "source": "web", "title": "Buying muffins", "url": "", "license": "CC0-1.0",
"text": "Maria buys 12 muffins ..."}. Ids are content hashes, so lineage survives every stage.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.core.files import put_in_place, remove, temporary_of
from stages.core.schemas import SCHEMAS, Row

ID_LENGTH = 16
ROW_GROUP_ROWS = 65_536
SHARD_BYTES = 256 << 20  # of a shard's columns in memory; zstd leaves a third of it on the disk
BATCH_ROWS = 1000


def content_id(*parts: str) -> str:
    """The id of a content: the first 16 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:ID_LENGTH]


def seed_of(*parts: str) -> int:
    """A 63-bit seed from a content, so that no order and no worker number enters a random draw."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big") >> 1


def table_batch(schema_name: str, rows: list[Row], place: str) -> pa.RecordBatch:
    """The rows as one record batch; `place` begins the message when a row does not fit."""
    schema = SCHEMAS[schema_name]
    for number, row in enumerate(rows):
        if row.keys() != set(schema.names):
            wrong = sorted(row.keys() ^ set(schema.names))
            raise StageError(f"{place}: row {number} does not fit the table {schema_name}: missing or unknown {wrong}")
    try:
        return pa.RecordBatch.from_pylist(rows, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise StageError(f"{place}: a value does not fit the table {schema_name}: {error}") from error


def write_table(schema_name: str, rows: Iterable[Row], path: Path) -> int:
    """Write rows under the named schema to `path`, whole or not at all; returns the number of rows."""
    batch = table_batch(schema_name, list(rows), str(path))
    with TableFile(schema_name, path) as file:
        file.write(batch)
    return batch.num_rows


class TableFile:
    """One Parquet file written in batches; it has its name only when the block ends without an error."""

    def __init__(self, schema_name: str, path: Path) -> None:
        self.path = path
        self.temporary = temporary_of(path)
        self.writer = pq.ParquetWriter(self.temporary, SCHEMAS[schema_name], compression="zstd")
        self.pending: list[pa.RecordBatch] = []
        self.num_rows = self.num_bytes = self.num_pending = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch; batches are joined into row groups of at most ROW_GROUP_ROWS rows."""
        self.pending.append(batch)
        self.num_rows += batch.num_rows
        self.num_pending += batch.num_rows
        self.num_bytes += batch.nbytes
        if self.num_pending >= ROW_GROUP_ROWS:
            self._flush()

    def close(self, *, keep: bool) -> None:
        try:
            if keep:
                self._flush()
            self.writer.close()
            if keep:
                put_in_place(self.temporary, self.path)
        finally:
            remove(self.temporary)

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self.close(keep=error is None)

    def _flush(self) -> None:
        table = pa.Table.from_batches(self.pending, self.writer.schema)
        self.writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self.pending, self.num_pending = [], 0


class TableWriter:
    """A folder of shards `part-00000.parquet`; it takes its name, whole, when the block ends without an error.

    What a shard holds depends on the rows alone, so equal rows are equal bytes.
    """

    def __init__(self, schema_name: str, folder: Path) -> None:
        self.schema_name, self.folder = schema_name, folder
        self.temporary = temporary_of(folder)
        self.num_rows = self.num_shards = 0
        self.file: TableFile | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        if self.file is None:
            self.file = TableFile(self.schema_name, self.temporary / f"part-{self.num_shards:05d}.parquet")
            self.num_shards += 1
        self.file.write(batch)
        self.num_rows += batch.num_rows
        if self.file.num_bytes >= SHARD_BYTES:
            self._end_shard()

    def write_rows(self, rows: list[Row]) -> None:
        if rows:
            self.write(table_batch(self.schema_name, rows, str(self.folder)))

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None:
                if self.num_shards == 0:
                    self.write(table_batch(self.schema_name, [], str(self.folder)))
                self._end_shard()
                put_in_place(self.temporary, self.folder)
        finally:
            if self.file:
                self.file.close(keep=False)
            remove(self.temporary)

    def _end_shard(self) -> None:
        if self.file:
            self.file.close(keep=True)
        self.file = None


def table_files(path: Path) -> list[Path]:
    """The files of a table: the file itself, or the shards of a folder in order."""
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise StageError(f"{path} is missing. Run `dvc repro` to make it, or `dvc pull` to fetch it.")
    return files


def read_batches(schema_name: str, path: Path, num_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The table in batches of at most `num_rows` rows, its schema checked; memory does not grow with the table."""
    schema = SCHEMAS[schema_name]
    for file in table_files(path):
        try:
            with pq.ParquetFile(file, pre_buffer=False) as parquet:
                _check_schema(schema_name, parquet.schema_arrow, file)
                yield from parquet.iter_batches(num_rows, columns=schema.names, use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise StageError(
                f"{file} is not a whole Parquet file ({error}). Delete it and run `dvc repro` again."
            ) from error


def read_table(schema_name: str, path: Path) -> list[Row]:
    """Read a table whole and check its schema; a broken file is an error that names file, column and type."""
    return [row for batch in read_batches(schema_name, path, ROW_GROUP_ROWS) for row in batch.to_pylist()]


def read_rows(schema_name: str, *paths: Path) -> Iterator[Row]:
    """The rows of some tables, one table behind the other, with one batch in memory."""
    for path in paths:
        for batch in read_batches(schema_name, path):
            yield from batch.to_pylist()


def count_rows(path: Path) -> int:
    """The number of rows of a table, from its files' footers alone."""
    return sum(int(pq.read_metadata(file).num_rows) for file in table_files(path))


def _check_schema(schema_name: str, found: pa.Schema, path: Path) -> None:
    for field in SCHEMAS[schema_name]:
        if field.name not in found.names:
            raise StageError(
                f"{path}: column {field.name!r} is missing (it has {', '.join(found.names)}). "
                f"The table {schema_name} needs it: run the stage that writes this file again."
            )
        if found.field(field.name).type != field.type:
            kind = found.field(field.name).type
            raise StageError(f"{path}: column {field.name!r} has type {kind}, not {field.type} (table {schema_name}).")
