"""The figures of an evaluation: of one benchmark in one mode, and of the whole suite.

    task_figures(predictions) -> {"accuracy": 0.52, "low_95": 0.48, "high_95": 0.56, "num_problems": 500, "jiuzhang": {...},
                                  "num_answered": 480, "num_truncated": 3, "num_timeouts": 1, ...}

Beside the accuracy stand its count and interval, the same under the release's grader, and what would make it worth less:
replies cut off, answers guessed as the last number, programs that did not end, problems that training data touched.
"""

from collections import defaultdict
from typing import Any

from stages.core.tables import Row
from stages.grading.voting import expected_majority, majority, pass_at_k
from stages.statistics.intervals import accuracy_record, bootstrap_macro


def by_item(predictions: list[Row]) -> dict[int, list[Row]]:
    items: dict[int, list[Row]] = defaultdict(list)
    for row in predictions:
        items[row["index"]].append(row)
    return dict(sorted(items.items()))


def item_means(predictions: list[Row], column: str = "correct") -> list[float]:
    return [sum(row[column] for row in rows) / len(rows) for rows in by_item(predictions).values()]


def task_figures(predictions: list[Row]) -> dict[str, Any]:
    """The figures of one benchmark in one mode; with several samples also pass@k and maj@k."""
    flagged = [row for row in predictions if row["is_flagged"]]
    figures: dict[str, Any] = {
        **accuracy_record(item_means(predictions)),
        "jiuzhang": accuracy_record(item_means(predictions, "jiuzhang_correct")),
        "num_responses": len(predictions),
        "num_answered": sum(bool(row["extracted"]) for row in predictions),
        "num_fallback": sum(any(flag.startswith("fallback") for flag in row["flags"]) for row in predictions),
        "num_boxed": sum("boxed" in row["reason"].split("/")[0] for row in predictions),
        "num_truncated": sum(row["finish_reason"] == "length" for row in predictions),
        "num_with_program": sum(bool(row["executions"]) for row in predictions),
        "num_timeouts": sum("timeout" in row["executions"] for row in predictions),
        "num_unsafe": sum("unsafe_execution" in row["flags"] for row in predictions),
        "tokens": sum(row["tokens"] for row in predictions),
    }
    figures["num_unanswered"] = figures["num_responses"] - figures["num_answered"]
    if flagged:
        figures["flagged"] = accuracy_record(item_means(flagged))
        figures["clean"] = accuracy_record(item_means([row for row in predictions if not row["is_flagged"]]))
    samples = max(map(len, by_item(predictions).values()), default=0)
    return figures | (sampling_figures(predictions, samples) if samples > 1 else {})


def sampling_figures(predictions: list[Row], num_samples: int) -> dict[str, Any]:
    """pass@k for k = 1, 2, 4, ..., and maj@k of all samples: ties by what was seen first, and by lot."""
    items = [rows for rows in by_item(predictions).values() if len(rows) == num_samples]
    ks = [k for k in (2**i for i in range(12)) if k <= num_samples]
    passes = {
        str(k): round(
            sum(pass_at_k(num_samples, sum(row["correct"] for row in rows), k) for rows in items) / len(items), 4
        )
        for k in sorted({*ks, num_samples})
    }
    first = by_lot = 0.0
    for rows in items:
        answers, corrects, kind = [r["extracted"] for r in rows], [r["correct"] for r in rows], rows[0]["kind"]
        vote = majority(answers, kind)
        first += vote.first >= 0 and corrects[vote.first]
        by_lot += expected_majority(answers, corrects, kind)
    majorities = {"first_seen": round(first / len(items), 4), "by_lot": round(by_lot / len(items), 4)}
    return {"num_samples": num_samples, "pass_at": passes, "maj_at": {str(num_samples): majorities}}


def suite_figures(predictions: dict[str, list[Row]]) -> dict[str, Any]:
    """The mean over benchmarks with a stratified bootstrap's interval, and the release's mean of rounded accuracies."""
    means = [item_means(rows) for rows in predictions.values() if rows]
    if not means:
        return {}
    low, high = bootstrap_macro(means)
    official = [
        round(100 * sum(m) / len(m), 1)
        for m in (item_means(rows, "jiuzhang_correct") for rows in predictions.values() if rows)
    ]
    return {
        "accuracy": round(sum(sum(m) / len(m) for m in means) / len(means), 4), "low_95": round(low, 4), "high_95": round(high, 4),
        "num_benchmarks": len(means), "num_problems": sum(map(len, means)),
        "jiuzhang_average": round(sum(official) / len(official), 1),
    }  # fmt: skip
