"""The vote among a problem's samples (maj@k): whether its answer is right, of one evaluation, and paired for two.

    verdicts = voted(scan_table("graded", Path("votes.parquet")))         # benchmark, mode, index, num, first_seen, by_lot
    compare_votes(verdicts_a, verdicts_b) -> [VoteComparison("gsm8k", "cot", 8, Paired(...))]

Answers that are equal count together (stages/grading/voting.py); a tie is decided by what was seen first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from stages.core.schemas import Row
from stages.core.tables import frames
from stages.grading.voting import expected_majority, majority
from stages.statistics.paired import Paired, paired

TASK, KEY = ("benchmark", "mode"), ("benchmark", "mode", "index")
SCHEMA = {"benchmark": pl.String, "mode": pl.String, "index": pl.Int64, "num": pl.Int64, "first_seen": pl.Boolean, "by_lot": pl.Float64}  # fmt: skip


@dataclass(frozen=True)
class VoteComparison:
    benchmark: str
    mode: str
    num_samples: int
    numbers: Paired

    def record(self) -> dict[str, Any]:
        return {"benchmark": self.benchmark, "mode": self.mode, "num_samples": self.num_samples, **vars(self.numbers)}


def voted(predictions: pl.LazyFrame) -> pl.DataFrame:
    """A row for each problem: its samples, whether the majority's answer is right, and the chance of it with ties by lot."""
    return pl.DataFrame([_verdict(rows) for rows in _samples(predictions)], schema=SCHEMA, orient="row")


def _verdict(rows: list[Row]) -> tuple[Any, ...]:
    answers, verdicts, kind = [row["extracted"] for row in rows], [row["correct"] for row in rows], rows[0]["kind"]
    vote = majority(answers, kind)
    return (
        *(rows[0][name] for name in KEY), len(rows), vote.first >= 0 and verdicts[vote.first],
        expected_majority(answers, verdicts, kind),
    )  # fmt: skip


def _samples(predictions: pl.LazyFrame) -> Iterator[list[Row]]:
    """The samples of each problem, which stand together."""
    columns = predictions.select(*KEY, "extracted", "correct", "kind")
    rows = (row for frame in frames(columns) for row in frame.iter_rows(named=True))
    return (list(group) for _, group in groupby(rows, key=lambda row: tuple(row[name] for name in KEY)))


def compare_votes(a: pl.DataFrame, b: pl.DataFrame) -> list[VoteComparison]:
    """The tasks in which both have as many samples a problem, in the order of B; B minus A, paired by problem."""
    pairs = b.join(a, on=[*KEY, "num"], how="inner", suffix="_a", maintain_order="left")
    return [
        VoteComparison(str(benchmark), str(mode), int(part["num"][0]), _paired(part))
        for (benchmark, mode), part in pairs.partition_by(*TASK, maintain_order=True, as_dict=True).items()
    ]


def _paired(pairs: pl.DataFrame) -> Paired:
    before, after = pairs["first_seen_a"], pairs["first_seen"]
    cells = (before & after, before & ~after, ~before & after, ~before & ~after)
    return paired(*(int(cell.sum()) for cell in cells))
