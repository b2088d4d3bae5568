"""Consistent sampling: which of three disjoint sets a text belongs to is a matter of its own hash, and of nothing else.

    sets = [TextSet("initial", 0.0, 0.3, 5300), TextSet("candidate", 0.3, 0.7, 40000), TextSet("synthesis", 0.7, 1.0, 0)]
    rows = draw(batches, sets, Quotas.parse(source=["web=0.4"]), seed=1)["initial"]     # int64[5300], ascending

A text's hash is a number u in [0, 1), and a set owns an interval of them: so no text ever changes from one set to another,
whatever else the corpus holds. A set without a number takes its whole interval, and keeps all its members when the
corpus grows. One with a number takes the lowest hashes: a member leaves only when a text of a lower hash comes in.
Quotas are the largest share of a set that one source, one span of lengths, or one level may have.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.core.command import StageError
from stages.core.table_writer import TableWriter
from stages.core.tables import read_batches, seed_of
from stages.texts.quotas import Quotas

HASH_BITS = 63
SPARE_ROWS = 65_536


@dataclass(frozen=True)
class TextSet:
    name: str
    low: float
    high: float
    count: int  # 0 takes all of the interval


class Lowest:
    """The `count` lowest hashes and their rows of all that were added; 0 keeps all."""

    def __init__(self, count: int) -> None:
        self.count, self.size = count, 0
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, hashes: list[int], rows: list[int]) -> None:
        self.parts.append((np.array(hashes, np.int64), np.array(rows, np.int64)))
        self.size += len(rows)
        if self.count and self.size > 2 * self.count + SPARE_ROWS:
            self.parts = [self.sorted()]
            self.size = len(self.parts[0][0])

    def sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """int64[count] hashes, ascending, and int64[count] rows."""
        hashes, rows = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        order = np.lexsort((rows, hashes))[: self.count or None]
        return hashes[order], rows[order]


def draw(batches: Iterable[pa.RecordBatch], sets: list[TextSet], quotas: Quotas, seed: int) -> dict[str, np.ndarray]:
    """The rows of each set, ascending; a row's number is its place in the corpus.

    Raises:
        StageError: a set cannot have as many texts as it asks for.
    """
    cells: dict[str, dict[tuple[str, ...], Lowest]] = {one.name: {} for one in sets}
    available: Counter[str] = Counter()
    first = 0
    for batch in batches:
        added: defaultdict[tuple[str, tuple[str, ...]], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for number, row in enumerate(batch.to_pylist(), first):
            value = seed_of(str(seed), row["text_id"])
            owner = _owner(sets, value)
            available[owner.name] += 1
            hashes, rows = added[owner.name, quotas.cell(row)]
            hashes.append(value)
            rows.append(number)
        first += batch.num_rows
        counts = {one.name: one.count for one in sets}
        for (name, cell), values in added.items():
            cells[name].setdefault(cell, Lowest(counts[name])).add(*values)
    return {one.name: _members(one, cells[one.name], quotas, available[one.name], first) for one in sets}


def _owner(sets: list[TextSet], value: int) -> TextSet:
    share = value / 2**HASH_BITS
    return next((one for one in sets if one.low <= share < one.high), sets[-1])


def _members(
    one: TextSet, cells: dict[tuple[str, ...], Lowest], quotas: Quotas, available: int, total: int
) -> np.ndarray:
    """The set's rows: the lowest hashes, passing over what would fill a quota beyond its limit."""
    members = _by_hash(cells, quotas.limits(one.count))[: one.count or None]
    if len(members) < max(one.count, 1):
        limited = f", {len(members):,} of them within the quotas" if quotas else ""
        raise StageError(
            f"sample_texts: the set {one.name} asks for {one.count:,} texts, but its share {one.low:g} to {one.high:g} of "
            f"{total:,} texts holds {available:,}{limited}. Lower num_{one.name}, widen its share, or add sources."
        )
    return np.sort(members)


def _by_hash(cells: dict[tuple[str, ...], Lowest], limits: dict[str, int]) -> np.ndarray:
    """int64[N] rows in the order of their hashes, without those that come when a quota of their cell is full."""
    if not cells:
        return np.empty(0, np.int64)
    columns = [lowest.sorted() for lowest in cells.values()]
    hashes, rows = (np.concatenate(column) for column in zip(*columns, strict=True))
    owners = np.repeat(np.arange(len(cells)), [len(column[0]) for column in columns])
    order = np.lexsort((rows, hashes))
    if not limits:
        return rows[order]
    names, taken = list(cells), Counter[str]()
    passed: list[int] = []
    for place in order:
        cell = names[owners[place]]
        if all(taken[name] < limits[name] for name in cell):
            passed.append(int(rows[place]))
            taken.update(cell)
    return np.array(passed, np.int64)


def write_sets(texts: Path, drawn: dict[str, np.ndarray], out: Path) -> None:
    """Write each set's rows of the table `texts` to OUT/<set>.parquet."""
    with ExitStack() as stack:
        files = {name: stack.enter_context(TableWriter("texts", out / f"{name}.parquet")) for name in drawn}
        first = 0
        for batch in read_batches("texts", texts):
            for name, rows in drawn.items():
                start, end = np.searchsorted(rows, [first, first + batch.num_rows])
                if end > start:
                    files[name].write(batch.take(pa.array(rows[start:end] - first)))
            first += batch.num_rows
