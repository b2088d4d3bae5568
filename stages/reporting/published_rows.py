"""The rows of a published dataset: Parquet shards by mode, which `load_dataset` reads, and what the card tells of them.

    rows = write_rows(with_lineage(problems, texts), Path("published/dataset"))
    # cot/part-00000.parquet, tool/part-00000.parquet; rows.counts, rows.sample, rows.num_masked

Not the table writer of the stages (stages/core/table_writer.py): these columns are no contract between stages.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.tables import arrow_of
from stages.problems.student_format import MODES
from stages.reporting.cards import NUM_SAMPLES, Counts
from stages.reporting.masking import masked
from stages.reporting.sampling import lowest, rank_of

SHARD_BYTES = 256 << 20  # of text in a shard; zstd leaves a third, far below the hub's limit of 50 GB a file
ROW_GROUP_ROWS = 10_000
TEXT = "text_text"
COLUMNS = {
    "problem_id": "hash of the problem's content",
    "text_id": "hash of the text that it was made from",
    "prompt": "level that the synthesizer was asked for",
    "mode": "`cot`: steps in natural language; `tool`: a Python program and its output",
    "problem": "the problem",
    "solution": "the solution, with the answer in `\\boxed{}`",
    "answer": "the answer alone",
    "synthesizer": "model that wrote it",
    "text_source": "source of the text",
    "text_title": "its title",
    "text_url": "its address, where the source states one",
    "text_license": "its license, as the source states it",
    TEXT: "the text itself",
}


@dataclass
class PublishedRows:
    """What was written: counts for the card, and the hub's `dataset_info`."""

    columns: list[str]
    counts: Counts = field(default_factory=Counts)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)  # mode -> rows, bytes of text
    sample: pl.DataFrame | None = None
    num_masked: int = 0
    ids: set[str] = field(default_factory=set)  # of problems, where they are asked for


def write_rows(frames: Iterable[pl.DataFrame], folder: Path, *, with_texts: bool, keep_ids: bool) -> PublishedRows:
    """Write the frames' rows below the folder, a folder for each mode that has any."""
    columns = [name for name in COLUMNS if with_texts or name != TEXT]
    rows = PublishedRows(columns)
    writers = {mode: Shards(folder / mode, columns) for mode in MODES}
    for frame in frames:
        frame, num_masked = masked(frame.select(columns))
        rows.num_masked += num_masked
        rows.counts.add(frame)
        rows.sample = _sample([rows.sample, frame])
        if keep_ids:
            rows.ids.update(frame["problem_id"])
        for mode, writer in writers.items():
            writer.write(frame.filter(pl.col("mode") == mode))
    for mode, writer in writers.items():
        writer.close()
        if writer.num_rows:
            rows.sizes[mode] = writer.num_rows, writer.num_bytes
    return rows


def _sample(parts: list[pl.DataFrame | None]) -> pl.DataFrame:
    """The rows of lowest hash of each mode: any run shows the same."""
    both = pl.concat([part if part is not None and "rank" in part.columns else part.with_columns(rank=rank_of("problem_id"))
                      for part in parts if part is not None])  # fmt: skip
    return pl.concat([lowest(both.filter(pl.col("mode") == mode), NUM_SAMPLES) for mode in MODES])


class Shards:
    """Parquet files `part-00000.parquet`, ... of text columns, each ended once it holds SHARD_BYTES of text."""

    def __init__(self, folder: Path, columns: list[str]) -> None:
        self.folder, self.schema = folder, pa.schema([(name, pa.string()) for name in columns])
        self.pending: list[pl.DataFrame] = []
        self.num_rows = self.num_bytes = self.num_shards = self.held = 0

    def write(self, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        size = int(frame.select(pl.sum_horizontal(pl.all().str.len_bytes().fill_null(0)).sum()).item())
        self.pending.append(frame)
        self.num_rows, self.num_bytes, self.held = self.num_rows + frame.height, self.num_bytes + size, self.held + size
        if self.held >= SHARD_BYTES:
            self.close()

    def close(self) -> None:
        if not self.pending:
            return
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"part-{self.num_shards:05d}.parquet"
        table = arrow_of(pl.concat(self.pending), self.schema)
        pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        self.pending, self.held, self.num_shards = [], 0, self.num_shards + 1


def dataset_info(rows: PublishedRows, folder: Path) -> dict[str, Any]:
    """`configs` and `dataset_info` of the card's head: `default` is every mode, and each mode is one of its own."""
    named = {"default": list(rows.sizes), **({mode: [mode] for mode in rows.sizes} if len(rows.sizes) > 1 else {})}
    features = [{"name": name, "dtype": "string"} for name in rows.columns]
    infos: list[dict[str, Any]] = []
    configs: list[dict[str, Any]] = []
    for name, modes in named.items():
        num_rows, num_bytes = (sum(rows.sizes[mode][place] for mode in modes) for place in (0, 1))
        download = sum(file.stat().st_size for mode in modes for file in (folder / mode).glob("*.parquet"))
        split = {"name": "train", "num_bytes": num_bytes, "num_examples": num_rows}
        infos.append({
            "config_name": name, "features": [dict(feature) for feature in features], "splits": [split],
            "download_size": download, "dataset_size": num_bytes,
        })  # fmt: skip
        paths = [f"{mode}/*.parquet" for mode in modes]
        configs.append({"config_name": name, "data_files": [{"split": "train", "path": paths}]})
    configs[0]["default"] = True
    return {"dataset_info": infos, "configs": configs}
