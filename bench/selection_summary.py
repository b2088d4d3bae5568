"""What the arms of `bench.selection_for_training` that are done say, and whether value pays by the rule of docs/value.md.

    summary(Path("work")) -> {"gsm8k": {"arms": {"bm25": {"loss": 0.91, "minus_random": {...}}}, "verdict": {...}}, "math": ...}

A loss is in nats a token over a seed's held-out solutions. A difference is paired by problem within each seed and is the mean
over the seeds of both arms; its interval is a bootstrap over each seed's problems, and says nothing of other seeds.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

JUDGED, RIVALS = "value_adam_checkpoints", ("bm25", "embedding")
LEAST_SHARE = 0.1  # of what the random arm gains over the arm `none`
NUM_RESAMPLES = 10_000

Losses = dict[str, dict[int, np.ndarray]]  # arm -> seed -> (problems, 2): nats and tokens


def read_losses(folder: Path) -> dict[str, Losses]:
    """By target, from the results that are there."""
    found: dict[str, Losses] = {}
    for path in sorted(folder.glob("results/seed-*/*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        for target, losses in record["losses"].items():
            by_seed = found.setdefault(target, {}).setdefault(record["arm"], {})
            by_seed[record["seed"]] = np.array(losses, dtype=np.float64)
    return found


def shares_of_kind(folder: Path, target: str) -> dict[str, float]:
    """Of each arm, which share of the examples that it took is of the target's own kind, over the seeds; arms that took some."""
    taken: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("results/seed-*/*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if target in record["losses"]:
            taken.setdefault(record["arm"], Counter()).update(record["kinds"])
    return {arm: round(kinds[target] / kinds.total(), 4) for arm, kinds in taken.items() if kinds}


def loss_of(losses: np.ndarray) -> float:
    """Nats a token of (problems, 2)."""
    return float(losses[:, 0].sum() / losses[:, 1].sum())


def difference(a: dict[int, np.ndarray], b: dict[int, np.ndarray]) -> dict[str, Any] | None:
    """A minus B over the seeds of both, in nats a token, with its 95% interval; None where no seed has both."""
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        return None
    rng = np.random.default_rng(1)
    by_seed = {seed: loss_of(a[seed]) - loss_of(b[seed]) for seed in seeds}
    draws = np.zeros(NUM_RESAMPLES)
    for seed in seeds:
        gains, tokens = a[seed][:, 0] - b[seed][:, 0], a[seed][:, 1]
        counts = rng.multinomial(len(gains), np.full(len(gains), 1 / len(gains)), size=NUM_RESAMPLES)
        draws += (counts @ gains) / (counts @ tokens) / len(seeds)
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "difference": round(float(np.mean(list(by_seed.values()))), 5), "low_95": round(float(low), 5),
        "high_95": round(float(high), 5), "by_seed": {seed: round(value, 5) for seed, value in by_seed.items()},
    }  # fmt: skip


def is_lower(found: dict[str, Any] | None) -> bool:
    """The interval lies below 0, and each seed's difference does."""
    return found is not None and found["high_95"] < 0 and all(value < 0 for value in found["by_seed"].values())


def verdict(losses: Losses, judged: str = JUDGED) -> dict[str, Any]:
    """Whether the judged arm pays: beats random, by enough of what random gains over none; and whether it beats the cheap rivals."""
    value, at_random, untrained = (losses.get(name, {}) for name in (judged, "random", "none"))
    gained, over = difference(at_random, untrained), difference(value, at_random)
    share = over["difference"] / gained["difference"] if over and gained and gained["difference"] < 0 else None
    rivals = {name: is_lower(difference(value, losses.get(name, {}))) for name in RIVALS if name in losses}
    return {
        "num_seeds": len(value.keys() & at_random.keys()), "share_of_gain": share and round(share, 4),
        "pays": is_lower(over) and share is not None and share >= LEAST_SHARE, "beats": rivals,
    }  # fmt: skip


def summary(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for target, losses in read_losses(folder).items():
        shares = shares_of_kind(folder, target)
        arms = {
            name: {
                "loss": round(float(np.mean([loss_of(one) for one in by_seed.values()])), 5), "num_seeds": len(by_seed),
                "of_the_targets_kind": shares.get(name),
                "minus_random": difference(by_seed, losses.get("random", {})) if name != "random" else None,
                "judged_minus_it": difference(losses.get(JUDGED, {}), by_seed) if name != JUDGED else None,
            }
            for name, by_seed in losses.items()
        }  # fmt: skip
        ranked = dict(sorted(arms.items(), key=lambda entry: entry[1]["loss"]))
        figures[target] = {"arms": ranked, "verdict": verdict(losses)}
    return figures
