"""The shards joined into the two tables, in the order of the texts, within the memory of one part of them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stages.core.schemas import Row
from stages.core.table_writer import TableWriter, table_batch
from stages.synthesis.line_files import LineFiles
from stages.synthesis.shards import Shards

PART_PROMPTS = 4096  # of a part, in memory at once
TABLES = ("problems", "rejected")


@dataclass(frozen=True)
class Gathered:
    num_problems: int
    num_tokens: int
    reasons: Counter[str]


def gather(shards: Shards, out: Path) -> Gathered:
    """Write OUT/problems.parquet and OUT/rejected.parquet; nothing is written if there is no problem."""
    parts, part_texts = LineFiles(shards.folder, "part"), max(1, PART_PROMPTS // shards.plan.num_samples)
    parts.clear()
    reasons: Counter[str] = Counter()
    num_problems = num_tokens = 0
    for number, written in shards.read():
        places = {text["text_id"]: text["place"] for text in shards.texts(number)}
        for name in TABLES:
            for row in getattr(written, name):
                place = places[row["text_id"]]
                parts.add(place // part_texts, {"place": place, "table": name, "row": row})
        num_problems, num_tokens = num_problems + len(written.problems), num_tokens + written.num_tokens
        reasons.update(row["reason"] for row in written.rejected)
    parts.flush()
    if num_problems:
        _write_tables(parts, -(-shards.num_texts // part_texts), out)
    return Gathered(num_problems, num_tokens, reasons)


def _write_tables(parts: LineFiles, num_parts: int, out: Path) -> None:
    with (
        TableWriter("problems", out / "problems.parquet") as problems,
        TableWriter("rejected", out / "rejected.parquet") as rejected,
    ):
        for number in range(num_parts):
            # A text's rows stand together in its shard, sample after sample, and stay so: the sort is stable.
            entries = sorted(parts.rows(number), key=lambda entry: entry["place"])
            for name, file in (("problems", problems), ("rejected", rejected)):
                rows: list[Row] = [entry["row"] for entry in entries if entry["table"] == name]
                file.write(table_batch(name, rows, str(file.path)))
