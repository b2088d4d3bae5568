"""Rows that come in batches of any size, cut into groups that depend on the rows alone: so many rows, or so many bytes.

groups = RowGroups(max_rows=20_000, max_bytes=64 << 20)
for start, stop, is_full in groups.cut(row_bytes(frame)): ...       # of this batch; a group may begin in an earlier one
"""

from collections.abc import Iterator

import numpy as np
import polars as pl


class RowGroups:
    """A group ends with the row that reaches one of its bounds."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self.max_rows, self.max_bytes = max_rows, max_bytes
        self.num_rows = self.num_bytes = 0  # of the open group

    def cut(self, sizes: np.ndarray) -> Iterator[tuple[int, int, bool]]:
        """The pieces of a batch whose rows have these sizes, int64[N]: where each begins and ends, and whether its group is full."""
        ends, start = np.cumsum(sizes), 0
        while start < len(sizes):
            before = int(ends[start - 1]) if start else 0
            by_bytes = int(np.searchsorted(ends, before + self.max_bytes - self.num_bytes)) + 1
            stop = min(len(sizes), start + self.max_rows - self.num_rows, by_bytes)
            self.num_rows += stop - start
            self.num_bytes += int(ends[stop - 1]) - before
            is_full = self.num_rows >= self.max_rows or self.num_bytes >= self.max_bytes
            if is_full:
                self.num_rows = self.num_bytes = 0
            yield start, stop, is_full
            start = stop


def row_bytes(frame: pl.DataFrame) -> np.ndarray:
    """int64[N]: about the bytes of each row."""
    sizes = np.full(frame.height, 8 * frame.width, np.int64)
    for name, kind in frame.schema.items():
        if (cell := _long_cell(name, kind)) is not None:
            sizes += frame.select(cell.fill_null(0).cast(pl.Int64)).to_series().to_numpy()
    return sizes


def _long_cell(name: str, kind: pl.DataType) -> pl.Expr | None:
    """The bytes of a cell, where they are not always few."""
    column = pl.col(name)
    if kind == pl.String:
        return column.str.len_bytes()
    if kind == pl.List(pl.String):
        return column.list.eval(pl.element().str.len_bytes()).list.sum()
    return column.list.len() * 32 if isinstance(kind, pl.List) else None
