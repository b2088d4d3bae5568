"""The figures of an evaluation: of one benchmark in one mode, and of the whole suite.

    task = task_of(scan_table("predictions", path), "gsm8k", "cot")          # a query
    task_figures(task) -> {"accuracy": 0.52, "low_95": 0.48, "high_95": 0.56, "num_problems": 500, "jiuzhang": {...},
                           "num_answered": 480, "num_truncated": 3, "num_timeouts": 1, ...}

Beside the accuracy stand its count and interval, the same under the release's grader, and what would make it worth less:
replies cut off, answers guessed as the last number, programs that did not end, problems that training data touched.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from stages.core.tables import collected, scan_table
from stages.grading.voting import pass_at_k
from stages.problems.student_format import COT, MODES
from stages.statistics.intervals import accuracy_record, bootstrap_macro
from stages.statistics.reference_loss import loss_record, losses_of
from stages.statistics.votes import voted

OURS, JIUZHANG = "correct", "jiuzhang_correct"


def figures_of(folder: Path, benchmarks: list[str], modes: Sequence[str] = MODES) -> dict[str, Any]:
    """benchmark -> mode -> the figures of the predictions in a folder, and `suite` -> mode.

    Beside them, in natural language, stands `reference`: the loss on reference solutions.
    """
    table, votes = scan_table("predictions", folder / "predictions.parquet"), folder / "votes.parquet"
    tasks = {name: {mode: task_of(table, name, mode) for mode in modes} for name in benchmarks}
    figures: dict[str, Any] = {
        name: {mode: task_figures(task) for mode, task in by_mode.items()} for name, by_mode in tasks.items()
    }
    losses = losses_of(table)
    for name in benchmarks:
        if COT in modes:
            figures[name][COT]["reference"] = loss_record(losses.filter(benchmark=name))
        if votes.exists():
            for mode in modes:
                figures[name][mode]["majority"] = majority_figures(
                    task_of(scan_table("predictions", votes), name, mode)
                )
    return figures | {"suite": {mode: suite_figures([tasks[name][mode] for name in benchmarks]) for mode in modes}}


def task_of(predictions: pl.LazyFrame, benchmark: str, mode: str) -> pl.LazyFrame:
    return predictions.filter(benchmark=benchmark, mode=mode)


def items_of(task: pl.LazyFrame) -> pl.DataFrame:
    """index, num (samples), correct and jiuzhang_correct (how many are), is_flagged: one row a problem, in order."""
    counts = [pl.col(column).sum().cast(pl.Int64) for column in (OURS, JIUZHANG)]
    grouped = task.group_by("index").agg(*counts, pl.len().cast(pl.Int64).alias("num"), pl.col("is_flagged").any())
    return collected(grouped).sort("index")


def item_means(items: pl.DataFrame, column: str = OURS) -> np.ndarray:
    """float64[problems]: which share of a problem's samples is correct."""
    return items.select(pl.col(column) / pl.col("num")).to_series().to_numpy()


def _record(items: pl.DataFrame, column: str = OURS) -> dict[str, float | int]:
    return accuracy_record(item_means(items, column), int(items["num"].sum()))


def task_figures(task: pl.LazyFrame) -> dict[str, Any]:
    """The figures of one benchmark in one mode; with several samples also pass@k and maj@k."""
    items = items_of(task)
    figures: dict[str, Any] = {
        **_record(items),
        "jiuzhang": _record(items, JIUZHANG),
        **collected(task.select(**COUNTS)).row(0, named=True),
    }
    figures["num_unanswered"] = figures["num_responses"] - figures["num_answered"]
    flagged = items.filter("is_flagged")
    if flagged.height:
        figures["flagged"], figures["clean"] = _record(flagged), _record(items.filter(~pl.col("is_flagged")))
    samples = int(items["num"].max() or 0)  # type: ignore[arg-type]
    return figures | (sampling_figures(task, items, samples) if samples > 1 else {})


COUNTS = {
    "num_responses": pl.len(),
    "num_answered": (pl.col("extracted") != "").sum(),
    "num_fallback": pl.col("flags").list.eval(pl.element().str.starts_with("fallback")).list.any().sum(),
    "num_boxed": pl.col("reason").str.extract("^([^/]*)").str.contains("boxed", literal=True).sum(),
    "num_truncated": (pl.col("finish_reason") == "length").sum(),
    "num_with_program": (pl.col("executions").list.len() > 0).sum(),
    "num_timeouts": pl.col("executions").list.contains("timeout").sum(),
    "num_unsafe": pl.col("flags").list.contains("unsafe_execution").sum(),
    "tokens": pl.col("tokens").sum(),
}


def sampling_figures(task: pl.LazyFrame, items: pl.DataFrame, num_samples: int) -> dict[str, Any]:
    """pass@k for k = 1, 2, 4, ..., and maj@k of all samples, with the interval of that with ties by what was seen first."""
    whole = items.filter(num=num_samples)
    corrects = whole["correct"].value_counts().sort("correct")
    ks = [k for k in (2**i for i in range(12)) if k <= num_samples]
    passes = {
        str(k): round(sum(num * pass_at_k(num_samples, c, k) for c, num in corrects.iter_rows()) / whole.height, 4)
        for k in sorted({*ks, num_samples})
    }
    votes = voted(task).filter(num=num_samples)
    record = accuracy_record(votes["first_seen"].to_numpy())
    majorities = {
        "first_seen": record["accuracy"], "low_95": record["low_95"], "high_95": record["high_95"],
        "by_lot": round(float(votes["by_lot"].to_numpy().mean()), 4),
    }  # fmt: skip
    return {"num_samples": num_samples, "pass_at": passes, "maj_at": {str(num_samples): majorities}}


def majority_figures(votes: pl.LazyFrame) -> dict[str, Any]:
    """The figures of the samples that vote, of one benchmark in one mode: their mean accuracy, pass@k and maj@k."""
    items = items_of(votes)
    return _record(items) | sampling_figures(votes, items, int(items["num"].max() or 0))  # type: ignore[arg-type]


def suite_figures(tasks: list[pl.LazyFrame]) -> dict[str, Any]:
    """The mean over benchmarks with a stratified bootstrap's interval, and the release's mean of rounded accuracies."""
    found = [items for task in tasks if (items := items_of(task)).height]
    if not found:
        return {}
    means = [item_means(items) for items in found]
    low, high = bootstrap_macro(means)
    official = [round(100 * float(item_means(items, JIUZHANG).mean()), 1) for items in found]
    return {
        "accuracy": round(sum(float(m.mean()) for m in means) / len(means), 4), "low_95": round(low, 4), "high_95": round(high, 4),
        "num_benchmarks": len(means), "num_problems": sum(map(len, means)),
        "jiuzhang_average": round(sum(official) / len(official), 1),
    }  # fmt: skip
