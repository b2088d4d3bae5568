"""A point of a study: what one run of the pipeline with changed parameters cost and came to.

    point = read_point(folder, start="pretrained", student="llama")     # of a workspace in which the pipeline has run
    accuracy(point), loss(point)

What a point keeps is enough to compare two of them problem by problem, and to see whether their budgets were equal.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from stages.core.command import StageError
from stages.core.files import json_in, write_text
from stages.core.tables import collected, scan_table
from stages.statistics.reference_loss import losses_of
from stages.studies.point_faults import fault_of
from stages.studies.spent import budget_of, outcome_of, usage_in


@dataclass(frozen=True)
class Point:
    """One run: `series` and `x` say where it stands in the study's figure."""

    series: str
    x: str
    seed: int
    settings: list[str]
    budget: dict[str, float]  # what the run was given; 0 for what it had none of (stages/studies/spent.py)
    correct: dict[str, str]  # "grade/cot" -> a 1 for each problem that is right, a 0 for each other
    losses: dict[str, list[tuple[float, int]]]  # benchmark -> (nats, tokens) of each reference solution
    problems: dict[str, str] = field(default_factory=dict)  # benchmark -> hash of the problems evaluated
    outcome: dict[str, float] = field(default_factory=dict)  # what came of it on the way: shares and counts kept
    selection: dict[str, Any] = field(default_factory=dict)  # reports/selection.json
    usage: dict[str, Any] = field(
        default_factory=dict
    )  # records of the stages that this point ran itself, by stage and subject


def read_point(folder: Path, start: str, student: str, series: str, x: str, seed: int, settings: list[str]) -> Point:
    """Of a workspace in which the pipeline has run.

    Raises:
        StageError: it is no point that could be compared: a loss is not finite.
    """
    predictions = folder / f"data/predictions/{start}/{student}/predictions.parquet"
    point = Point(
        series, x, seed, settings, budget_of(folder, start, student), correct_in(predictions), losses_in(predictions),
        problems_in(folder / "data/benchmarks", predictions), outcome_of(folder, start),
        json_in(folder / "reports/selection.json") or {}, usage_in(folder),
    )  # fmt: skip
    if fault := fault_of(asdict(point)):
        raise StageError(f"{folder} gives no point of a study: {fault}.")
    return point


def correct_in(predictions: Path) -> dict[str, str]:
    """By benchmark and mode, for each problem in order 1 where the (first) answer is right, else 0."""
    rows = collected(
        scan_table("predictions", predictions).filter(sample=0).select("benchmark", "mode", "index", "correct")
    )
    parts = rows.sort("benchmark", "mode", "index").partition_by("benchmark", "mode", as_dict=True, maintain_order=True)
    return {
        f"{benchmark}/{mode}": "".join(str(int(is_right)) for is_right in part["correct"])
        for (benchmark, mode), part in parts.items()
    }


def losses_in(predictions: Path) -> dict[str, list[tuple[float, int]]]:
    losses = losses_of(scan_table("predictions", predictions)).sort("benchmark", "index")
    nats = losses.with_columns(nats=(pl.col("reference_loss") * pl.col("reference_tokens")).round(3))
    return {
        str(benchmark): list(part.select("nats", "reference_tokens").iter_rows())
        for (benchmark,), part in nats.partition_by("benchmark", as_dict=True, maintain_order=True).items()
    }


def problems_in(benchmarks: Path, predictions: Path) -> dict[str, str]:
    """By benchmark a hash of the problems that were evaluated, and of their answers."""
    rows = collected(scan_table("predictions", predictions).select("benchmark", "index").unique())
    told = collected(
        scan_table("benchmarks", *sorted(benchmarks.glob("*.parquet"))).select(
            "benchmark", "index", "problem", "answer"
        )
    )
    both = rows.join(told, on=["benchmark", "index"]).sort("benchmark", "index")
    return {
        str(benchmark): _hash(part.rows())
        for (benchmark,), part in both.partition_by("benchmark", as_dict=True, maintain_order=True).items()
    }


def _hash(rows: list[tuple[Any, ...]]) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def write_point(point: Point, path: Path) -> None:
    """A line a field: a point lies in Git, and what differs between two is read there."""
    lines = ",\n".join(
        f'"{name}": {json.dumps(value, sort_keys=True)}' for name, value in sorted(asdict(point).items())
    )
    write_text(f"{{\n{lines}\n}}\n", path)


def load_point(path: Path) -> Point:
    """A point's file.

    Raises:
        StageError: it is not there, or no point.
    """
    record = json_in(path)
    if not isinstance(record, dict) or (fault := fault_of(record)):
        told = fault if isinstance(record, dict) else "it is missing, or no JSON object"
        raise StageError(f"{path} is not a point of a study: {told}. Delete it and run the study again.")
    losses = {name: [(float(nats), int(tokens)) for nats, tokens in rows] for name, rows in record["losses"].items()}
    return Point(**{**record, "losses": losses})
