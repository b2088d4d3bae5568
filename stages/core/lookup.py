"""Rows of a large table by key, for frames of rows that come in about its order: a join in bounded memory that keeps the order.

    texts = Lookup(scan_table("texts", path).select("text_id", "text"), "text_id")
    for problems in frames(scan_table("problems", path)): joined = texts.join(problems)     # `text` is null where there is none

`synthesize` writes problems in the order of their texts, and every stage keeps that order, so the table is read once. Rows in any
other order are found too: the table is then read again, from where it was, for each frame.
"""

from collections.abc import Iterator

import polars as pl

from stages.core.tables import frames


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
