"""The shards joined into the two tables, in the order of the texts, in bounded memory: sorted on the disk by the texts' places."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stages.core.external_sort import externally_sorted
from stages.core.parallel import batched
from stages.core.schemas import Row
from stages.core.table_writer import TableWriter
from stages.core.tables import BATCH_ROWS
from stages.synthesis.shards import Shards

TABLES = ("problems", "rejected")


@dataclass
class Gathered:
    num_problems: int = 0
    num_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def gather(shards: Shards, out: Path) -> Gathered:
    """Write OUT/problems.parquet and OUT/rejected.parquet; nothing is written if there is no problem."""
    found = Gathered()
    # A text's rows stand together in its shard, sample after sample, and stay so: the sort is stable.
    entries = externally_sorted(_entries(shards, found), lambda entry: entry["place"])
    if found.num_problems:
        _write_tables(entries, out)
    return found


def _entries(shards: Shards, found: Gathered) -> Iterator[Row]:
    """What each shard wrote, with the place of its text, counted as it is read."""
    for number, written in shards.read():
        places = {text["text_id"]: text["place"] for text in shards.texts(number)}
        found.num_problems += len(written.problems)
        found.num_tokens += written.num_tokens
        found.reasons.update(row["reason"] for row in written.rejected)
        for name in TABLES:
            for row in getattr(written, name):
                yield {"place": places[row["text_id"]], "table": name, "row": row}


def _write_tables(entries: Iterable[Row], out: Path) -> None:
    with (
        TableWriter("problems", out / "problems.parquet") as problems,
        TableWriter("rejected", out / "rejected.parquet") as rejected,
    ):
        for batch in batched(entries, BATCH_ROWS):
            for name, writer in (("problems", problems), ("rejected", rejected)):
                writer.write_rows([entry["row"] for entry in batch if entry["table"] == name])
