"""The loss on reference solutions: of one evaluation, and the paired difference of two.

    losses = losses_of(scan_table("predictions", path))                   # benchmark, index, reference_loss, reference_tokens
    loss_record(losses.filter(benchmark="gsm8k")) -> {"nats_per_token": 0.83, "low_95": 0.81, "high_95": 0.85, ...}
    compare_losses(losses_a, losses_b)            -> [LossDifference("gsm8k", ...)]

Intervals are bootstraps by problem. Nats a token compare where both models cut the solutions into the same tokens; nats a problem
compare always.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from stages.core.tables import collected
from stages.statistics.intervals import bootstrap_ratio

KEY = ("benchmark", "index")
COLUMNS = ("reference_loss", "reference_tokens")


@dataclass(frozen=True)
class LossDifference:
    """B minus A over the problems of both: below 0 B likes the solutions better."""

    benchmark: str
    a: dict[str, Any]  # loss_record of each
    b: dict[str, Any]
    unit: str  # token, or problem where the two models have other tokens
    difference: float
    low_95: float | None
    high_95: float | None


def losses_of(predictions: pl.LazyFrame) -> pl.DataFrame:
    """benchmark, index, reference_loss (nats a token), reference_tokens: a row for each problem whose solution was read."""
    read = predictions.filter(pl.col("reference_loss").is_not_null(), sample=0).select(*KEY, *COLUMNS)
    return collected(read).unique(KEY, keep="first", maintain_order=True)


def loss_record(losses: pl.DataFrame) -> dict[str, Any]:
    """Of one benchmark: nats a token and nats a problem, each with its interval; {"num_problems": 0} where there are none."""
    if not losses.height:
        return {"num_problems": 0}
    nats, tokens = _nats(losses), losses["reference_tokens"].to_numpy().astype(np.float64)
    ones = np.ones(len(nats))
    return {
        "nats_per_token": _rounded(nats.sum() / tokens.sum()), **_interval(bootstrap_ratio(nats, tokens)),
        "nats_per_problem": _rounded(nats.mean()), **_interval(bootstrap_ratio(nats, ones), "problem_"),
        "num_problems": len(nats), "num_tokens": int(tokens.sum()),
    }  # fmt: skip


def compare_losses(a: pl.DataFrame, b: pl.DataFrame) -> list[LossDifference]:
    """The benchmarks of both, in the order of B."""
    pairs = b.join(a, on=KEY, how="inner", suffix="_a", maintain_order="left")
    parts = pairs.partition_by("benchmark", maintain_order=True, as_dict=True)
    return [_difference(str(name), part) for (name,), part in parts.items()]


def _difference(benchmark: str, pairs: pl.DataFrame) -> LossDifference:
    before = pairs.select(*KEY, *(pl.col(f"{column}_a").alias(column) for column in COLUMNS))
    has_same_tokens = pairs["reference_tokens"].equals(pairs["reference_tokens_a"], check_names=False)
    gains = _nats(pairs) - _nats(before)
    sizes = pairs["reference_tokens"].to_numpy().astype(np.float64) if has_same_tokens else np.ones(len(gains))
    low, high = _interval(bootstrap_ratio(gains, sizes)).values()
    unit = "token" if has_same_tokens else "problem"
    return LossDifference(
        benchmark, loss_record(before), loss_record(pairs), unit, _rounded(gains.sum() / sizes.sum()), low, high
    )


def _nats(losses: pl.DataFrame) -> np.ndarray:
    return (losses["reference_loss"] * losses["reference_tokens"]).to_numpy()


def _interval(found: tuple[float, float] | None, before: str = "") -> dict[str, float | None]:
    low, high = found or (None, None)
    return {f"{before}low_95": low and _rounded(low), f"{before}high_95": high and _rounded(high)}


def _rounded(number: float) -> float:
    return round(float(number), 5)
