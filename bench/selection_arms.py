"""The arms of `bench.selection_for_training`: which examples of the pool each takes, by the stages' own strategies.

rows = chosen(ARMS["value_adam_checkpoints"], seed, "gsm8k")      # rows of `problems`, best first, of equally many tokens
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from bench.selection_pool import kind_of
from bench.selection_values import targets_in, write_lengths, write_values
from stages.core.files import json_in, write_json
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.core.tables import read_table, seed_of
from stages.value.pool import Pool
from stages.value.reference import checkpoint_weights, checkpoints_of
from stages.value.strategies import STRATEGIES

CHUNK_ROWS = 250  # of a strategy that asks the model about each example: what a kill can cost
ASKING = ("embedding", "ifd")
WITHOUT_VALUES = ("none", "random", "target_rows", "length", "bm25", "embedding")  # can run before any gradient


@dataclass(frozen=True)
class Arm:
    """A strategy of select_texts and its settings, `none` (no training), or `target_rows` (the target's own kind, at random)."""

    strategy: str
    tier: int = 1  # arms of a lower tier run first
    variant: str = "adam"
    checkpoints: Literal["first", "last", "all"] = "all"
    reference: str = "usual"
    length_bins: int = 0
    aggregate: Literal["one", "max", "mean"] = "one"  # over the targets; one: the arm's own target alone

    @property
    def is_of_target(self) -> bool:
        """Whether another target makes another choice."""
        blind = self.strategy in ("none", "random", "length", "perplexity", "ifd", "value_by_target")
        return not blind and self.aggregate == "one"


ARMS: dict[str, Arm] = {
    "none": Arm("none"),
    "random": Arm("random"),
    "target_rows": Arm("target_rows"),
    "length": Arm("length"),
    "bm25": Arm("bm25"),
    "value_adam_checkpoints": Arm("value"),
    "value_adam": Arm("value", checkpoints="last"),
    "value_sgd": Arm("value", variant="sgd", checkpoints="last"),
    "value_sgd_checkpoints": Arm("value", variant="sgd"),
    "value_diversity": Arm("value_diversity"),
    "value_by_target": Arm("value_by_target", aggregate="max"),
    "perplexity": Arm("perplexity"),
    "embedding": Arm("embedding"),
    "ifd": Arm("ifd"),
    # Settings of value from the same gradients: length control, layers, checkpoints, aggregation.
    "value_length_bins": Arm("value", tier=2, length_bins=5),
    "value_upper_layers": Arm("value", tier=2, variant="adam_upper"),
    "value_first_checkpoint": Arm("value", tier=2, checkpoints="first"),
    "value_max": Arm("value", tier=2, aggregate="max"),
    "value_mean": Arm("value", tier=2, aggregate="mean"),
    # Settings that need gradients of their own: rank, data and steps of the warm-up.
    "value_rank_64": Arm("value", tier=3, reference="rank_64"),
    "value_short_warmup": Arm("value", tier=3, reference="short"),
    "value_target_warmup": Arm("value", tier=3, reference="on_targets"),
}


@dataclass(frozen=True)
class Place:
    """Where a seed's tables, references and scores lie."""

    folder: Path
    base: Path
    seed: int

    @property
    def trained(self) -> Path:
        """LoRA weights of the arm that is running; they go once its result is written."""
        return self.folder / "trained"

    def reference(self, name: str) -> Path:
        return self.folder / "references" / name

    def scores(self, reference: str, checkpoint: str) -> Path:
        return self.folder / "scores" / reference / checkpoint


def chosen(name: str, place: Place, target: str, lengths: dict[str, int], budget: int) -> list[Row]:
    """The rows of the pool that the arm takes, best first: `budget` tokens, of which less than a hundredth may be missing."""
    pool = pool_of(ARMS[name], place, target)
    scores = scores_of(name, pool, place, target)
    rows = {row["text_id"]: row for row in read_table("problems", pool.problems)}
    ranked = pool.scored.select("text_id", scores.alias("score")).sort("score", "text_id", descending=[True, False])
    if ARMS[name].strategy == "target_rows":
        ranked = ranked.filter(pl.col("text_id").is_in([key for key, row in rows.items() if kind_of(row) == target]))
    taken: list[Row] = []
    left = budget
    for key in ranked["text_id"]:
        if left < budget / 100:
            break
        if lengths[key] <= left:
            taken.append(rows[key])
            left -= lengths[key]
    return taken


def pool_of(arm: Arm, place: Place, target: str) -> Pool:
    """The seed's pool with the arm's values."""
    targets = [target] if arm.aggregate == "one" else list(targets_in(place.folder))
    problems = place.folder / "candidates/problems.parquet"
    if arm.strategy in WITHOUT_VALUES:
        values = place.folder / f"values/lengths-{target}.parquet"
        write_lengths(place.folder, place.base, targets, values)
    else:
        checkpoints = checkpoints_of(place.reference(arm.reference))
        weights = dict(zip(checkpoints, checkpoint_weights(checkpoints), strict=True))
        kept = {"first": checkpoints[:1], "last": checkpoints[-1:], "all": checkpoints}[arm.checkpoints]
        folders = {place.scores(arm.reference, path.name): weights[path] for path in kept}
        aggregate = "mean" if arm.aggregate == "mean" else "max"
        values = (
            place.folder / f"values/{arm.reference}-{arm.variant}-{arm.checkpoints}-{arm.aggregate}-{target}.parquet"
        )
        write_values(place.folder, folders, arm.variant, targets, aggregate, values)
    return Pool(
        place.folder / "texts.parquet", values, problems, place.folder / "targets", place.base,
        place.reference(arm.reference), place.seed, arm.length_bins,
    )  # fmt: skip


def scores_of(name: str, pool: Pool, place: Place, target: str) -> pl.Series:
    """The strategy's scores of `pool.scored`; those for which a model is asked about each example are kept in chunks."""
    strategy = ARMS[name].strategy
    if strategy not in ASKING:
        return STRATEGIES["random" if strategy == "target_rows" else strategy](pool)
    folder = place.folder / "asked" / f"{strategy}-{target}"
    tables = [("problems", pool.problems), ("texts", pool.texts), ("values", pool.values)]
    whole = {schema: read_table(schema, path) for schema, path in tables}
    valued = {row["text_id"] for row in whole["values"]}
    whole = {schema: [row for row in rows if row["text_id"] in valued] for schema, rows in whole.items()}
    scores: list[float] = []
    for start in range(0, len(valued), CHUNK_ROWS):
        kept = folder / f"{start:06d}.json"
        if json_in(kept) is None:
            for schema, rows in whole.items():
                write_table(schema, rows[start : start + CHUNK_ROWS], folder / f"{schema}.parquet")
            part = Pool(
                folder / "texts.parquet", folder / "values.parquet", folder / "problems.parquet", pool.targets, pool.base,
                pool.reference, pool.seed,
            )  # fmt: skip
            write_json(STRATEGIES[strategy](part).to_list(), kept)
        scores += json_in(kept)
    return pl.Series(scores, dtype=pl.Float64)


def warmup_rows(place: Place, budget: int, lengths: dict[str, int]) -> list[Row]:
    """Rows of the pool at random, of `budget` tokens at most."""
    rows = read_table("problems", place.folder / "candidates/problems.parquet")
    rows.sort(key=lambda row: seed_of("warm-up", str(place.seed), row["problem_id"]))
    taken, left = [], budget
    for row in rows:
        if lengths[row["text_id"]] <= left:
            taken.append(row)
            left -= lengths[row["text_id"]]
    return taken
