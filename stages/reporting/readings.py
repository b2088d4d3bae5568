"""What stands beside the accuracies: the loss on reference solutions, and majority votes; of all of a student's evaluations.

loss_rows(standing, ["gsm8k"])  -> [{"student": "llama", "benchmark": "gsm8k", "untrained": None, "a": {...}, "b": {...}, ...}]
nest_losses(rows), nest_votes(rows): the same for details.json
"""

from collections.abc import Iterable
from typing import Any

from stages.problems.student_format import COT, MODES
from stages.reporting.accuracy import Standing, points_of, sides_of
from stages.statistics.comparison import Run
from stages.statistics.reference_loss import LossDifference, compare_losses
from stages.statistics.votes import VoteComparison, compare_votes

Rows = list[dict[str, Any]]


def loss_rows(standing: Standing, benchmarks: Iterable[str]) -> Rows:
    """A row for each benchmark: `loss_record` of each evaluation, and B's differences from the control and from the untrained.

    A benchmark without reference solutions has `num_problems` 0; none is in it where the solutions were not read.
    """
    if standing.b.losses is None:
        return []
    over = {name: _differences(run, standing.b) for name, run in (("a", standing.a), ("untrained", standing.untrained))}
    rows = []
    for benchmark in _evaluated(standing, benchmarks):
        sides = _sides(standing, benchmark, COT, "reference")
        differences = {f"over_{name}": known.get(benchmark) for name, known in over.items()}
        rows.append({"student": standing.student, "benchmark": benchmark, **sides, **differences})
    return rows


def vote_rows(standing: Standing, benchmarks: Iterable[str]) -> Rows:
    """A row for each benchmark and mode: the figures of the samples that vote, and the paired differences of maj@k."""
    if standing.b.votes is None:
        return []
    over = {name: _votes(run, standing.b) for name, run in (("a", standing.a), ("untrained", standing.untrained))}
    return [
        {
            "student": standing.student, "benchmark": benchmark, "mode": mode,
            **_sides(standing, benchmark, mode, "majority"),
            **{f"over_{name}": known.get((benchmark, mode)) for name, known in over.items()},
        }
        for benchmark in _evaluated(standing, benchmarks)
        for mode in MODES
    ]  # fmt: skip


def nest_losses(rows: Rows) -> dict[str, Any]:
    """student -> start -> benchmark -> record; `difference` and `difference_from_untrained` -> benchmark -> with interval."""
    nested: dict[str, Any] = {}
    for row in (row for row in rows if row["b"] and row["b"]["num_problems"]):
        student = nested.setdefault(row["student"], {})
        for start, record in sides_of(row).items():
            student.setdefault(start, {})[row["benchmark"]] = record
        for name, over in (("difference", row["over_a"]), ("difference_from_untrained", row["over_untrained"])):
            if over:
                told = {"nats": over.difference, "low_95": over.low_95, "high_95": over.high_95, "unit": over.unit}
                student.setdefault(name, {})[row["benchmark"]] = told
    return nested


def nest_votes(rows: Rows) -> dict[str, Any]:
    """student -> start -> benchmark -> mode -> maj@k with its interval; the differences in points beside them."""
    nested: dict[str, Any] = {}
    for row in rows:
        student = nested.setdefault(row["student"], {})
        for start, figures in sides_of(row).items():
            (count, vote), = figures["maj_at"].items()  # fmt: skip
            record = {
                f"maj_at_{count}": vote["first_seen"], "low_95": vote["low_95"], "high_95": vote["high_95"],
                "mean_accuracy": figures["accuracy"], "num_problems": figures["num_problems"],
            }  # fmt: skip
            student.setdefault(start, {}).setdefault(row["benchmark"], {})[row["mode"]] = record
        for name, over in (("gain", row["over_a"]), ("gain_over_untrained", row["over_untrained"])):
            if over:
                student.setdefault(name, {}).setdefault(row["benchmark"], {})[row["mode"]] = points_of(over.numbers)
    return nested


def _evaluated(standing: Standing, benchmarks: Iterable[str]) -> list[str]:
    return [name for name in benchmarks if name in standing.figures["pretrained"]]


def _sides(standing: Standing, benchmark: str, mode: str, part: str) -> dict[str, Any]:
    starts = {"b": "pretrained", "a": "base", "untrained": "untrained"}
    return {side: standing.figures[start].get(benchmark, {}).get(mode, {}).get(part) for side, start in starts.items()}


def _differences(a: Run | None, b: Run) -> dict[str, LossDifference]:
    if a is None or a.losses is None or b.losses is None:
        return {}
    return {loss.benchmark: loss for loss in compare_losses(a.losses, b.losses)}


def _votes(a: Run | None, b: Run) -> dict[tuple[str, str], VoteComparison]:
    if a is None or a.votes is None or b.votes is None:
        return {}
    return {(vote.benchmark, vote.mode): vote for vote in compare_votes(a.votes, b.votes)}
