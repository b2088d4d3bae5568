"""The Parquet tables between stages: an explicit schema each, written atomically, read with clear errors.

    write_table("texts", rows, Path("data/corpus/web.parquet"))
    rows = read_table("texts", Path("data/corpus/web.parquet"))

A row of `texts`: {"text_id": "3f2a...", "source": "web", "title": "Buying muffins", "url": "", "license": "CC0-1.0",
"text": "Maria buys 12 muffins ..."}. Ids are content hashes, so lineage survives every stage.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.command import StageError

Row = dict[str, Any]
TEXT, INT, FLOAT, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
ID_LENGTH = 16
ROW_GROUP_ROWS = 65_536

_TEXTS = {"text_id": TEXT, "source": TEXT, "title": TEXT, "url": TEXT, "license": TEXT, "text": TEXT}
_PROBLEMS = {
    "problem_id": TEXT, "text_id": TEXT, "request_id": TEXT, "prompt": TEXT, "mode": TEXT,
    "problem": TEXT, "solution": TEXT, "answer": TEXT, "synthesizer": TEXT,
}  # fmt: skip
_COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "texts": _TEXTS,
    "requests": {
        "request_id": TEXT, "round": TEXT, "text_id": TEXT, "prompt": TEXT, "mode": TEXT,
        "messages": TEXT, "sampling": TEXT,
    },
    "completions": {
        "request_id": TEXT, "completion": TEXT, "finish_reason": TEXT, "served_model": TEXT,
        "prompt_tokens": INT, "completion_tokens": INT, "cached_tokens": INT, "usd": FLOAT,
    },
    "problems": _PROBLEMS,
    "rejected": {**_PROBLEMS, "reason": TEXT, "detail": TEXT},
    "rejected_texts": {**_TEXTS, "reason": TEXT, "detail": TEXT},
    "benchmarks": {
        "benchmark": TEXT, "index": INT, "problem": TEXT, "solution": TEXT, "answer": TEXT, "subject": TEXT, "level": TEXT,
    },
    "values": {
        "problem_id": TEXT, "text_id": TEXT, "value": FLOAT,
        "target_values": pa.list_(pa.struct([("target", TEXT), ("value", FLOAT)])),
    },
    "selected": {**_TEXTS, "value": FLOAT},
    "predictions": {
        "benchmark": TEXT, "index": INT, "mode": TEXT, "response": TEXT, "extracted": TEXT, "answer": TEXT,
        "correct": BOOL, "reason": TEXT, "turns": INT, "tokens": INT,
    },
}  # fmt: skip
SCHEMAS = {name: pa.schema(list(columns.items())) for name, columns in _COLUMNS.items()}


def content_id(*parts: str) -> str:
    """The id of a content: the first 16 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:ID_LENGTH]


def seed_of(*parts: str) -> int:
    """A 63-bit seed from a content, so that no order and no worker number enters a random draw."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big") >> 1


def write_table(schema_name: str, rows: Iterable[Row], path: Path) -> int:
    """Write rows under the named schema to `path`, whole or not at all; returns the number of rows."""
    schema, rows = SCHEMAS[schema_name], list(rows)
    for number, row in enumerate(rows):
        if row.keys() != set(schema.names):
            wrong = sorted(row.keys() ^ set(schema.names))
            raise StageError(f"{path}: row {number} does not fit the table {schema_name}: missing or unknown {wrong}")
    try:
        table = pa.Table.from_pylist(rows, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise StageError(f"{path}: a value does not fit the table {schema_name}: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return len(rows)


def read_table(schema_name: str, path: Path) -> list[Row]:
    """Read a table and check its schema; a broken file is an error that names file, column and type."""
    schema = SCHEMAS[schema_name]
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing. Run `dvc repro` to make it, or `dvc pull` to fetch it.") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise StageError(
            f"{path} is not a whole Parquet file ({error}). Delete it and run `dvc repro` again."
        ) from error
    for field in schema:
        if field.name not in table.column_names:
            raise StageError(
                f"{path}: column {field.name!r} is missing (it has {', '.join(table.column_names)}). "
                f"The table {schema_name} needs it: run the stage that writes this file again."
            )
        if table.schema.field(field.name).type != field.type:
            found = table.schema.field(field.name).type
            raise StageError(f"{path}: column {field.name!r} has type {found}, not {field.type} (table {schema_name}).")
    return table.select(schema.names).to_pylist()


def write_text(text: str, path: Path) -> None:
    """Write a small text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(value: object, path: Path) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", path)
