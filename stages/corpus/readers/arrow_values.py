"""Arrow's columns as Python's values, of whatever type: text as its bytes, which may be no UTF-8, and times as text.

python_rows(batch) -> [{"text": b"Let $x$ ...", "date": "2024-05-01 00:00:00.000000001"}, ...]
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

OTHER_BYTES = 16  # of a value that is no text


def is_text(kind: pa.DataType) -> bool:
    """Whether a column's values are strings, or bytes that may be: in any of Arrow's layouts."""
    if isinstance(kind, pa.BaseExtensionType):
        return is_text(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    kinds = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in kinds)


def row_bytes(column: pa.Array) -> np.ndarray:
    """What each row holds: int64 (rows,)."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return row_bytes(column.storage)
    if pa.types.is_dictionary(kind):
        sizes = np.append(row_bytes(column.dictionary), 0)
        return sizes[column.indices.fill_null(len(sizes) - 1).to_numpy(zero_copy_only=False)]
    if is_text(kind):
        return pc.binary_length(column.cast(pa.large_binary())).fill_null(0).to_numpy(zero_copy_only=False)
    if pa.types.is_struct(kind):
        return sum((row_bytes(child) for child in column.flatten()), np.zeros(len(column), np.int64))
    each = max(OTHER_BYTES, column.nbytes // max(len(column), 1))
    return np.full(len(column), each, np.int64)


def python_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows; of columns with one name, the first."""
    columns: dict[str, list[Any]] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns.setdefault(name, python_values(column))
    return [{name: values[row] for name, values in columns.items()} for row in range(batch.num_rows)]


def python_values(column: pa.Array) -> list[Any]:
    """The values; None for what Python has no value for."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return python_values(column.storage)
    if pa.types.is_dictionary(kind):
        return python_values(column.dictionary_decode())
    if is_text(kind):
        return column.cast(pa.large_binary()).to_pylist()
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        children = [python_values(child) for child in column.flatten()]
        rows = [dict(zip(names, values, strict=True)) for values in zip(*children, strict=True)]
        return [row if valid else None for row, valid in zip(rows, column.is_valid().to_pylist(), strict=True)]
    try:
        return (_as_text(column) if pa.types.is_temporal(kind) else column).to_pylist()
    except (ValueError, OverflowError, KeyError, pa.ArrowException):  # bytes in a list that are no UTF-8, and the like
        return [None] * len(column)


def _as_text(column: pa.Array) -> pa.Array:
    """Times as Arrow writes them: Python's own have no nanoseconds, and end with the year 9999."""
    try:
        return column.cast(pa.string())
    except pa.ArrowException:  # a time zone that this machine does not know: in UTC, then
        return column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
