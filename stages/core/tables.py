"""The Parquet tables between stages, read: queries of polars over checked schemas, whose results come in bounded frames.

    query = scan_table("problems", Path("data/synthetic/problems.parquet"))
    counts = collected(query.group_by("mode").len())
    for frame in frames(query): ...                       # pl.DataFrame, however large the table is
    for row in read_rows("texts", Path("data/curated/texts")): row["text"]

A table is a file, or a folder of shards `part-00000.parquet` (stages/core/table_writer.py). A frame is bounded in rows and in bytes: 300
rows of 8 MB are a hundred frames. What streams in bounded memory (filter, counts, sums, joins with a small table) is a query; polars neither
sorts nor tells distinct rows within bounded memory: see stages/core/lookup.py for joins with large tables, `hash_parts` for groups.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

# What polars reads ahead is counted in row groups and morsels, whatever their bytes; its defaults grow with the cores, or are 100,000 rows.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "1")
os.environ.setdefault("POLARS_IDEAL_MORSEL_SIZE", "10000")

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.core.row_groups import RowGroups, row_bytes
from stages.core.schemas import SCHEMAS, Row

ID_LENGTH = 16
FRAME_ROWS, FRAME_BYTES = 20_000, 64 << 20
BATCH_ROWS = 1000
GROUPS_IN_MEMORY = 2_000_000


def content_id(*parts: str) -> str:
    """The id of a content: the first 16 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:ID_LENGTH]


def seed_of(*parts: str) -> int:
    """A 63-bit seed from a content, so that no order and no worker number enters a random draw."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big") >> 1


def table_files(path: Path) -> list[Path]:
    """The files of a table: the file itself, or the shards of a folder in order."""
    files = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise StageError(f"{path} is missing. Run `dvc repro` to make it, or `dvc pull` to fetch it.")
    return files


def scan_table(schema_name: str, *paths: Path) -> pl.LazyFrame:
    """A query over some tables of one schema, one behind the other; a text that is missing in a row is "".

    Raises:
        StageError: a file is missing, is no Parquet file, lacks a column, or has one of another type.
    """
    files = [file for path in paths for file in table_files(path)]
    footers = [_checked_footer(schema_name, file) for file in files]
    _scanned.update(dict.fromkeys(files))
    query = pl.scan_parquet(files, glob=False, extra_columns="ignore").select(SCHEMAS[schema_name].names)
    return query.with_columns(pl.selectors.string().fill_null("")) if any(map(_has_nulls, footers)) else query


def collected(query: pl.LazyFrame) -> pl.DataFrame:
    """The result of a query that is small, whatever it is computed from."""
    try:
        return query.collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _unreadable(error) from error


def frames(query: pl.LazyFrame, max_rows: int = FRAME_ROWS, max_bytes: int = FRAME_BYTES) -> Iterator[pl.DataFrame]:
    """The result of a query in order, in frames of at most so many rows, that end with the row that reaches so many bytes."""
    groups, pending = RowGroups(max_rows, max_bytes), list[pl.DataFrame]()
    batches = query.collect_batches(chunk_size=max_rows, maintain_order=True, lazy=True, engine="streaming")
    try:
        for batch in batches:
            for start, stop, is_full in groups.cut(row_bytes(batch)):
                pending.append(batch[start:stop])
                if is_full:
                    yield pl.concat(pending)
                    pending = []
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _unreadable(error) from error
    if pending:
        yield pl.concat(pending)


def read_batches(schema_name: str, path: Path, num_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The table in batches for worker processes, which may not touch polars (stages/core/parallel.py)."""
    schema = SCHEMAS[schema_name]
    for frame in frames(scan_table(schema_name, path), num_rows):
        yield from arrow_of(frame, schema).to_batches()


def arrow_of(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """The frame as an Arrow table of this schema, one chunk a column."""
    return frame.select(schema.names).to_arrow().cast(schema).combine_chunks()


def read_rows(schema_name: str, *paths: Path) -> Iterator[Row]:
    """The rows of some tables, one table behind the other, with one frame in memory."""
    return rows_of(scan_table(schema_name, *paths))


def rows_of(query: pl.LazyFrame) -> Iterator[Row]:
    """The rows of a query's result, with one frame in memory."""
    for frame in frames(query):
        yield from frame.iter_rows(named=True, buffer_size=BATCH_ROWS)


def read_table(schema_name: str, path: Path) -> list[Row]:
    """All rows of a table that is small."""
    return list(read_rows(schema_name, path))


def count_rows(path: Path) -> int:
    """The number of rows of a table, from its files' footers alone."""
    return sum(_footer(file).num_rows for file in table_files(path))


def hash_parts(query: pl.LazyFrame, key: str, num_rows: int) -> Iterator[pl.LazyFrame]:
    """The query in parts of which each holds all rows of its keys, few enough to be grouped in memory, for `num_rows` rows in all."""
    count = -(-num_rows // GROUPS_IN_MEMORY) or 1
    for part in range(count):
        yield query.filter(pl.col(key).hash(seed=0) % count == part)


_scanned: dict[Path, None] = {}  # so that an error of a query, which names no file, can name it


def _unreadable(error: BaseException) -> StageError:
    there = [file for file in _scanned if file.exists()]  # a stage may have deleted what it read before
    broken = [file for file in there if not _is_whole(file)] or there or list(_scanned)
    return StageError(
        f"{', '.join(map(str, broken))} cannot be read ({error}). Delete it and run `dvc repro` or `dvc pull` again."
    )


def _is_whole(file: Path) -> bool:
    try:
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            for _ in parquet.iter_batches(BATCH_ROWS, use_threads=False):
                pass
    except (pa.ArrowException, OSError):
        return False
    return True


def _footer(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise StageError(
            f"{path} is not a complete Parquet file ({error}). Delete it and run `dvc repro` again."
        ) from error


def _has_nulls(footer: pq.FileMetaData) -> bool:
    """Whether a column that is no list may have nulls: others write them; we never do."""
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    chunks = (group.column(number) for group in groups for number in range(footer.num_columns))
    flat = (chunk.statistics for chunk in chunks if "." not in chunk.path_in_schema)
    return any(statistics is None or statistics.null_count != 0 for statistics in flat)


def _checked_footer(schema_name: str, path: Path) -> pq.FileMetaData:
    footer = _footer(path)
    found = footer.schema.to_arrow_schema()
    for field in SCHEMAS[schema_name]:
        if found.names.count(field.name) > 1:
            raise StageError(f"{path}: column {field.name!r} occurs twice. Run the stage that writes this file again.")
        if field.name not in found.names:
            raise StageError(
                f"{path}: column {field.name!r} is missing (it has {', '.join(found.names)}). "
                f"The table {schema_name} needs it: run the stage that writes this file again."
            )
        if found.field(field.name).type != field.type:
            kind = found.field(field.name).type
            raise StageError(f"{path}: column {field.name!r} has type {kind}, not {field.type} (table {schema_name}).")
    return footer
