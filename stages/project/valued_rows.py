"""The rows that `ninechapters value` writes: each record as it was, with its value, its values by target, and the fault.

    columns = Columns("value")                          # value, target_values, value_fault
    schema = schema_of(problems, out, columns)          # before anything is computed
    write_rows(valued, out, schema)

JSON lines keep every line as it stands, with members added at its end. Parquet keeps the types of a Parquet file; of JSON it
takes those that fit all rows.
"""

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError
from stages.core.files import whole
from stages.core.formats import HEAD_BYTES, PARQUET, format_of
from stages.core.parallel import batched
from stages.project.problem_records import ProblemRecord, problem_records

PARQUET_NAME, LINES_NAMES = ".parquet", (".jsonl", ".ndjson")
TARGET_VALUES = pa.list_(pa.struct([("target", pa.string()), ("value", pa.float64())]))
BATCH_ROWS = 1000
Valued = Iterable[tuple[ProblemRecord, dict[str, Any]]]  # a record, and what is added to it


@dataclass(frozen=True)
class Columns:
    """The names of what is added to a row, by that of its value."""

    value: str

    @property
    def targets(self) -> str:
        return f"target_{self.value}s"

    @property
    def fault(self) -> str:
        return f"{self.value}_fault"

    @property
    def names(self) -> tuple[str, str, str]:
        return self.value, self.targets, self.fault

    @property
    def fields(self) -> list[tuple[str, pa.DataType]]:
        return list(zip(self.names, (pa.float64(), TARGET_VALUES, pa.string()), strict=True))


def check_out(problems: Path, out: Path) -> None:
    """Refuse a place at which the rows cannot be written, or with them IN would go.

    Raises:
        StageError: the ending is of no format that is written; it is IN; or its folder cannot be written to.
    """
    if out.suffix not in (PARQUET_NAME, *LINES_NAMES):
        raise StageError(f"{out}: JSON lines or Parquet are written. Let the name end in .jsonl or in .parquet.")
    if out.exists() and out.samefile(problems):
        raise StageError(f"{out} is IN and OUT. Give OUT another name: rows that cannot be read would be lost.")
    folder = next(folder for folder in out.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise StageError(f"{out} cannot be written: {folder} is no folder that this user may write to.")


def schema_of(problems: Path, out: Path, columns: Columns) -> pa.Schema | None:
    """The columns of OUT, which all rows fit; None for JSON lines, which take any.

    Raises:
        StageError: a column holds values that no Parquet column holds together.
    """
    if out.suffix != PARQUET_NAME:
        return None
    with problems.open("rb") as stream:
        is_parquet = format_of(stream.read(HEAD_BYTES)) is PARQUET
    found = pq.read_schema(problems).remove_metadata() if is_parquet else pa.schema([])
    for rows in () if is_parquet else _row_batches(problems):
        found = _joined(found, rows, problems)
    schema = pa.schema([*found, *columns.fields])
    try:
        pq.write_table(schema.empty_table(), io.BytesIO())
        for rows in _row_batches(problems):
            pa.Table.from_pylist(rows, schema)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise StageError(f"{problems} fits no Parquet table: {error}. Write JSON lines: OUT.jsonl.") from error
    return schema


def _row_batches(problems: Path) -> Iterator[list[dict[str, Any]]]:
    return batched((kept_row(one) for one in problem_records(problems)), BATCH_ROWS)


def _joined(schema: pa.Schema, rows: list[dict[str, Any]], problems: Path) -> pa.Schema:
    """The schema with the columns of some more rows."""
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [schema.field(name)] if name in schema.names else []
        try:
            more = pa.field(name, pa.array([row.get(name) for row in rows]).type)
            joined = pa.unify_schemas([pa.schema(known), pa.schema([more])], promote_options="permissive")
        except (pa.ArrowException, OverflowError) as error:
            raise StageError(
                f"{problems}: the column {name!r} fits no Parquet table: {_types_told(problems, name) or error}. Write JSON lines, "
                f"OUT.jsonl, or mend the column."
            ) from error
        place = schema.get_field_index(name)
        schema = schema.set(place, joined.field(0)) if known else schema.append(joined.field(0))
    return schema


def _types_told(problems: Path, name: str) -> str:
    """The types of a column with the first row of each, where it has several."""
    first: dict[str, int] = {}
    for one in problem_records(problems):
        value = kept_row(one).get(name)
        if value is not None:
            first.setdefault(type(value).__name__, one.number)
    return " and ".join(f"{kind} (first in {number})" for kind, number in first.items()) if len(first) > 1 else ""


def kept_row(one: ProblemRecord) -> dict[str, Any]:
    """A record's own columns; of what is no object its number."""
    return one.content if isinstance(one.content, dict) else {"row": one.number}


def write_rows(valued: Valued, out: Path, schema: pa.Schema | None) -> None:
    """Write the records with what is added to each, whole or not at all."""
    with whole(out) as temporary:
        if schema is not None:
            _write_parquet(valued, temporary, schema)
            return
        with temporary.open("wb") as stream:
            stream.writelines(_line(one, added) + b"\n" for one, added in valued)


def _write_parquet(valued: Valued, path: Path, schema: pa.Schema) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batched(valued, BATCH_ROWS):
            writer.write_table(pa.Table.from_pylist([kept_row(one) | added for one, added in batch], schema))


def _line(one: ProblemRecord, added: dict[str, Any]) -> bytes:
    if not (one.line and isinstance(one.content, dict)):
        return orjson.dumps(kept_row(one) | added, default=str)
    start = one.line.strip()[:-1].rstrip()
    return start + (b"" if start.endswith(b"{") else b",") + orjson.dumps(added)[1:]
