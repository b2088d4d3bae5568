"""Which texts of the corpus go, and why: the two passes of curate_texts.

    faults = find_faults(batches, Screen(index, rules), folder, total)
    faults.of(17) == ("near_duplicate", "of 3f2a91b0c4d5e6f7")

What grows with the corpus is on the disk, in `folder`; in memory are a byte and an index for each text, and a line for
each that touches a benchmark.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from stages.core.command import StageError
from stages.core.progress import Tracker
from stages.core.schemas import SCHEMAS, TEXT
from stages.core.table_writer import TableWriter
from stages.core.tables import read_batches
from stages.core.work import WORK
from stages.overlap.screening import Screen, Screened, screen_texts


class Faults:
    """The reason and detail of every text that goes, by its row in the corpus."""

    def __init__(self, screened: Screened, ids: Path) -> None:
        self.screened = screened
        self.ids = ids.open("rb")
        self.by_benchmark = dict(sorted(Counter(hit.benchmark for hit in screened.hits.values()).items()))

    def of(self, row: int) -> tuple[str, str] | None:
        if hit := self.screened.hits.get(row):
            return "contaminated", str(hit)
        copy = self.screened.copy_of(row)
        if copy is None:
            return None
        reason, original = copy
        self.ids.seek(8 * original)
        return reason, f"of {int.from_bytes(self.ids.read(8), 'little'):016x}"


def find_faults(batches: Iterable[pa.RecordBatch], screen: Screen, folder: Path, total: int) -> Faults:
    """Screen every text; the duplicates are told among those that touch no benchmark."""
    tracker = Tracker("curate_texts: sign", total, "texts")
    with (folder / "ids.bin").open("wb") as ids:
        screened = screen_texts(_texts(batches, ids), screen, folder, tracker, hits_go_first=True)
    return Faults(screened, folder / "ids.bin")


def _texts(batches: Iterable[pa.RecordBatch], ids: BinaryIO) -> Iterator[pa.Array]:
    """The texts of each batch; their ids are noted in a file."""
    for batch in batches:
        numbers = [int(text_id, 16) for text_id in batch.column("text_id").to_pylist()]
        ids.write(np.array(numbers, dtype=np.uint64).tobytes())
        yield batch.column("text")


def curated(
    folders: list[Path], screen: Screen, out: Path, total: int
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Write what stays of some tables of texts, and what goes; counts by source, and of what touches a benchmark by benchmark."""
    work = WORK / "curate_texts"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        faults = find_faults(_batches(folders), screen, work, total)
        return write_curated(_batches(folders), faults, out, total), faults.by_benchmark
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _batches(folders: list[Path]) -> Iterator[pa.RecordBatch]:
    for folder in folders:
        yield from read_batches("texts", folder)


def write_curated(
    batches: Iterator[pa.RecordBatch], faults: Faults, out: Path, total: int
) -> dict[str, dict[str, Any]]:
    """Write what stays and what goes; counts for each source: read, kept, and rejected by reason."""
    counts: dict[str, dict[str, Any]] = {}
    row = 0
    with (
        TableWriter("texts", out / "texts") as texts,
        TableWriter("rejected_texts", out / "rejected") as rejected,
        Tracker("curate_texts: write", total, "texts") as tracker,
    ):
        for batch in batches:
            found = [faults.of(row + i) for i in range(batch.num_rows)]
            row += batch.num_rows
            texts.write(batch.filter(pa.array([fault is None for fault in found])))
            if gone := [fault for fault in found if fault]:
                columns = [*batch.filter(pa.array([fault is not None for fault in found])).columns]
                columns += [pa.array(values, TEXT) for values in zip(*gone, strict=True)]
                rejected.write(pa.RecordBatch.from_arrays(columns, schema=SCHEMAS["rejected_texts"]))
            for source, fault in zip(batch.column("source").to_pylist(), found, strict=True):
                figures = counts.setdefault(source, {"read": 0, "kept": 0, "rejected": {}})
                figures["read"] += 1
                if fault:
                    figures["rejected"][fault[0]] = figures["rejected"].get(fault[0], 0) + 1
                else:
                    figures["kept"] += 1
            tracker.advance(batch.num_rows)
        if not texts.num_rows:
            raise StageError(f"no text is left: {counts_line(counts)}. Raise min_jaccard, or add sources.")
    return counts


def counts_line(counts: dict[str, dict[str, Any]]) -> str:
    reasons: dict[str, int] = {}
    for figures in counts.values():
        for reason, count in figures["rejected"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return f"kept {sum(figures['kept'] for figures in counts.values()):,}, rejected {reasons or 'none'}"
