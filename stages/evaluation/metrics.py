"""The figures of an evaluation: of one benchmark in one mode, and of the whole suite.

    task = task_of(scan_table("predictions", path), "gsm8k", "cot")          # a query
    task_figures(task) -> {"accuracy": 0.52, "low_95": 0.48, "high_95": 0.56, "num_problems": 500, "jiuzhang": {...},
                           "num_answered": 480, "num_truncated": 3, "num_timeouts": 1, ...}

Beside the accuracy stand its count and interval, the same under the release's grader, and what would make it worth less:
replies cut off, answers guessed as the last number, programs that did not end, problems that training data touched.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from stages.core.schemas import Row
from stages.core.tables import collected, frames
from stages.grading.voting import expected_majority, majority, pass_at_k
from stages.statistics.intervals import accuracy_record, bootstrap_macro

OURS, JIUZHANG = "correct", "jiuzhang_correct"


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
    """pass@k for k = 1, 2, 4, ..., and maj@k of all samples: ties by what was seen first, and by lot."""
    whole = items.filter(num=num_samples)
    corrects = whole["correct"].value_counts().sort("correct")
    ks = [k for k in (2**i for i in range(12)) if k <= num_samples]
    passes = {
        str(k): round(sum(num * pass_at_k(num_samples, c, k) for c, num in corrects.iter_rows()) / whole.height, 4)
        for k in sorted({*ks, num_samples})
    }
    first = by_lot = 0.0
    for rows in _samples(task):
        if len(rows) == num_samples:
            answers, verdicts, kind = [r["extracted"] for r in rows], [r["correct"] for r in rows], rows[0]["kind"]
            vote = majority(answers, kind)
            first += vote.first >= 0 and verdicts[vote.first]
            by_lot += expected_majority(answers, verdicts, kind)
    majorities = {"first_seen": round(first / whole.height, 4), "by_lot": round(by_lot / whole.height, 4)}
    return {"num_samples": num_samples, "pass_at": passes, "maj_at": {str(num_samples): majorities}}


def _samples(task: pl.LazyFrame) -> Iterator[list[Row]]:
    """The samples of each problem, which stand together."""
    columns = task.select("index", "extracted", "correct", "kind")
    rows = (row for frame in frames(columns) for row in frame.iter_rows(named=True))
    return (list(group) for _, group in groupby(rows, key=lambda row: row["index"]))


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
