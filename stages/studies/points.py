"""A point of a study: what one run of the pipeline with changed parameters cost and came to.

    point = read_point(folder, start="pretrained", student="llama")     # of a workspace in which the pipeline has run
    accuracy(point), loss(point)

What a point keeps is enough to compare two of them problem by problem, and to see whether their budgets were equal.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from stages.core.command import StageError
from stages.core.files import json_in, write_text
from stages.core.tables import collected, count_rows, scan_table
from stages.statistics.reference_loss import losses_of

UNTRAINED, BASE, PRETRAINED = "untrained", "base", "pretrained"
LEARNT = {PRETRAINED: ("synthesizer", "pretrain", "finetune"), BASE: ("finetune",), UNTRAINED: ()}
TRAINED = {
    "synthesizer": "models/synthesizer/boosted", "pretrain": "models/pretrained/{student}",
    "finetune": "models/finetuned/{start}/{student}",
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One run: `series` and `x` say where it stands in the study's figure."""

    series: str
    x: str
    seed: int
    settings: list[str]
    budget: dict[str, float]
    correct: dict[str, str]  # "grade/cot" -> a 1 for each problem that is right, a 0 for each other
    losses: dict[str, list[tuple[float, int]]]  # benchmark -> (nats, tokens) of each reference solution
    selection: dict[str, Any] = field(default_factory=dict)


def read_point(folder: Path, start: str, student: str, series: str, x: str, seed: int, settings: list[str]) -> Point:
    predictions = folder / f"data/predictions/{start}/{student}/predictions.parquet"
    return Point(
        series, x, seed, settings, budget_of(folder, start, student), correct_in(predictions), losses_in(predictions),
        json_in(folder / "reports/selection.json") or {},
    )  # fmt: skip


def budget_of(folder: Path, start: str, student: str) -> dict[str, float]:
    """Calls and tokens of the teacher, tokens and steps of each training, problems learnt from."""
    budget: dict[str, float] = {}
    for round_ in ("initial", "boost"):
        path = folder / f"data/distillation/{round_}/completions.parquet"
        if path.exists():
            table = scan_table("completions", path)
            sums = collected(table.select(pl.len(), pl.sum("prompt_tokens", "completion_tokens", "usd"))).row(
                0, named=True
            )
            budget |= {
                f"{round_}_requests": sums["len"], f"{round_}_tokens_in": sums["prompt_tokens"],
                f"{round_}_tokens_out": sums["completion_tokens"], f"{round_}_usd": round(sums["usd"], 6),
            }  # fmt: skip
    if start == PRETRAINED:
        budget["synthetic_problems"] = count_rows(folder / "data/synthetic/problems.parquet")
    for name in LEARNT[start]:
        record = json_in(folder / TRAINED[name].format(start=start, student=student) / "provenance.json")
        budget |= {f"{name}_tokens": record["num_tokens"], f"{name}_steps": record["num_steps"]}
    return budget


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
    try:
        losses = {
            name: [(float(nats), int(tokens)) for nats, tokens in rows] for name, rows in record["losses"].items()
        }
        return Point(**{**record, "losses": losses})
    except (TypeError, KeyError, ValueError) as error:
        raise StageError(f"{path} is not a point of a study: {error}. Delete it and run the study again.") from error
