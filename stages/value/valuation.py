"""From scored shards to values: a row for each candidate that has one, their histogram, and counts of the others.

valued = write_values(candidates, source, work, {"checkpoint-1": 1.0}, ["grade", "secondary"], "max", Path("data/value/values"))
valued.num_valued, valued.rejected
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from stages.core.files import write_csv
from stages.core.table_writer import TableWriter
from stages.core.tables import Row
from stages.value.candidates import Candidates
from stages.value.datastore import shard_scores
from stages.value.directions import DIRECTIONS
from stages.value.shards import shard_path

BIN_WIDTH = 0.005


@dataclass
class Valued:
    num_valued: int = 0
    bins: Counter[int] = field(default_factory=Counter)  # of values, BIN_WIDTH wide
    rejected: Counter[str] = field(default_factory=Counter)


def write_values(
    candidates: Candidates, source: Path, work: Path, weights: dict[str, float], targets: list[str], aggregate: str, out: Path
) -> Valued:  # fmt: skip
    """Write the values of the candidates' shards in `source`, by the targets' directions in `work`, to `out`."""
    valued = Valued()
    with TableWriter("values", out) as writer:
        for shard in range(candidates.num_shards):
            found = shard_values(candidates, shard, source, work, weights, targets, aggregate)
            rows = [row for row in found if math.isfinite(row["value"])]
            valued.rejected["too_long"] += len(candidates.rows(shard)) - len(found)
            valued.rejected["not_finite"] += len(found) - len(rows)
            writer.write_rows(rows)
            valued.bins.update(int(row["value"] // BIN_WIDTH) for row in rows)
            valued.num_valued += len(rows)
    return valued


def shard_values(
    candidates: Candidates, shard: int, source: Path, work: Path, weights: dict[str, float], targets: list[str], aggregate: str
) -> list[Row]:  # fmt: skip
    """The rows of one shard: the checkpoints' scores summed with their weights."""
    total: torch.Tensor | float = 0.0
    for checkpoint, weight in weights.items():
        directions = work / checkpoint / DIRECTIONS
        tensors, scores = shard_scores(shard_path(source / checkpoint, shard), directions)
        total = total + weight * scores
    assert isinstance(total, torch.Tensor)
    rows = candidates.rows(shard)
    kept = [rows[place] for place in tensors["places"].tolist()]
    columns = zip(
        kept, *(tensors[name].tolist() for name in ("num_tokens", "losses", "norms")), total.tolist(), strict=True
    )
    return [
        {
            "problem_id": row["problem_id"], "text_id": row["text_id"], "num_tokens": num_tokens, "loss": round(loss, 6),
            "gradient_norm": float(f"{norm:.6g}"), "value": round(max(scores) if aggregate == "max" else sum(scores) / len(scores), 7),
            # Rounded: the last bits of a sum may depend on the batch that an example falls into.
            "target_values": [{"target": name, "value": round(score, 7)} for name, score in zip(targets, scores, strict=True)],
        }
        for row, num_tokens, loss, norm, scores in columns
    ]  # fmt: skip


def histogram_rows(bins: Counter[int]) -> Iterator[tuple[str, int]]:
    for number in range(min(bins, default=0), max(bins, default=0) + 1):
        yield f"{number * BIN_WIDTH:.4f}", bins[number]


def write_histogram(bins: Counter[int], path: Path) -> None:
    """Counts of values in equal bins, as CSV for `dvc plots`: value, num_problems."""
    write_csv([("value", "num_problems"), *histogram_rows(bins)], path)
