"""Rows of a large table by key: left joins in bounded memory that keep the order of the left side.

    texts = Lookup(scan_table("texts", path).select("text_id", "text"), "text_id")
    for problems in frames(scan_table("problems", path)): joined = texts.join(problems)     # `text` is null where there is none

`Lookup` is for frames in about the table's order: `synthesize` writes problems in the order of their texts, and every stage keeps that
order, so the table is read once. Frames in any other order are found too, but the table is then read again for each.

    for frame in joined(scan_table("problems", path), scan_table("texts", *paths).select("text_id", "text"), "text_id"): ...

`joined` is for any order, as the teacher's problems have: it reads the table once and sorts the rows that it needs on the disk. It
keeps 24 bytes for each row of the left side.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from stages.core.external_sort import externally_sorted
from stages.core.schemas import Row
from stages.core.tables import FRAME_BYTES, collected, frames

PLACE = "_place"  # of a row on the left side


class Lookup:
    """A left join with `query`, in which each `key` stands once."""

    def __init__(self, query: pl.LazyFrame, key: str) -> None:
        self.query, self.key = query, key
        self.current = pl.DataFrame(schema=query.collect_schema())
        self.rest = frames(query)
        self.end = 0  # of the current frame, in rows of the query

    def join(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the query's other columns; null where the key is not in the query."""
        found = self._found(frame.select(self.key).unique())
        return frame.join(found, on=self.key, how="left", maintain_order="left")

    def _found(self, wanted: pl.DataFrame) -> pl.DataFrame:
        parts = [self.current.clear()]
        for part in self._once_around():
            hits = part.join(wanted, on=self.key, how="semi")
            parts.append(hits.unique(self.key, keep="first"))
            wanted = wanted.join(hits, on=self.key, how="anti") if hits.height else wanted
            if not wanted.height:
                break
        return pl.concat(parts)

    def _once_around(self) -> Iterator[pl.DataFrame]:
        """The current frame, those behind it, and from the beginning those before it."""
        stop = self.end
        yield self.current
        while self._advance():
            yield self.current
        self.rest, self.end = frames(self.query), 0
        while self.end < stop and self._advance():
            yield self.current

    def _advance(self) -> bool:
        part = next(self.rest, None)
        if part is None:
            return False
        self.current, self.end = part, self.end + part.height
        return True


def joined(query: pl.LazyFrame, table: pl.LazyFrame, key: str) -> Iterator[pl.DataFrame]:
    """The rows of `query` in order, with the other columns of `table`, whose values JSON can hold; null where the key is not in it."""
    schema = table.select(pl.lit(0, pl.Int64).alias(PLACE), pl.all()).collect_schema()
    rows = externally_sorted(_wanted_rows(query, table, key), lambda row: row[PLACE])
    ahead, start = next(rows, None), 0
    for frame in frames(query):
        end = start + frame.height
        while start < end:
            found, size = [], 0
            while ahead and ahead[PLACE] < end and size < FRAME_BYTES:
                found.append(ahead)
                size += _text_bytes(ahead)
                ahead = next(rows, None)
            stop = found[-1][PLACE] + 1 if size >= FRAME_BYTES else end
            right = pl.DataFrame(found, schema)
            left = frame[frame.height - (end - start) :][: stop - start]
            left = left.with_columns(pl.int_range(start, stop).alias(PLACE))
            # On the key, too: two keys may share a hash. Where a key stands twice in the table, its first row counts.
            right = right.unique([PLACE, key], keep="first", maintain_order=True)
            yield left.join(right, on=[PLACE, key], how="left", maintain_order="left").drop(PLACE)
            start = stop


def _wanted_rows(query: pl.LazyFrame, table: pl.LazyFrame, key: str) -> Iterator[Row]:
    """The rows of the table, each once for every row of the query that has its key, with the place of that."""
    hashes = collected(query.select(pl.col(key).hash(seed=0)))[key].to_numpy()
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    for frame in frames(table):
        sought = frame[key].hash(seed=0).to_numpy()
        first, last = (np.searchsorted(hashes, sought, side) for side in ("left", "right"))
        counts = last - first
        rows = np.repeat(np.arange(frame.height), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = pl.Series(PLACE, order[np.repeat(first, counts) + within], pl.Int64)
        yield from frame[rows].with_columns(places).iter_rows(named=True)


def _text_bytes(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str))
