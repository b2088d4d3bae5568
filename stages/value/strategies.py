"""Selection strategies: each gives every candidate text a score, the best highest, from the same pool.

by_value(pool) -> float64 scores, one for each row of `pool.scored`

All keep some numbers of a text, never its words. `value`, `random`, `length`, `perplexity` and `value_by_target` go by the columns of the
pool; the others read texts or problems once more, or ask the model for each (stages/value/similarity.py, stages/value/clusters.py).
"""

import math
from collections.abc import Callable

import numpy as np
import polars as pl

from stages.core.tables import seed_of
from stages.value.pool import Pool


def by_value(pool: Pool) -> pl.Series:
    """Highest mean value of a text's problems first, as in the paper."""
    return pool.scored["value"]


def by_chance(pool: Pool) -> pl.Series:
    """In the order of the texts' hashes: the control."""
    return pl.Series([-float(seed_of("select", str(pool.seed), text_id)) for text_id in pool.scored["text_id"]])


def by_length(pool: Pool) -> pl.Series:
    """Longest outputs first: a strong baseline of instruction tuning (Zhao et al. 2024, arXiv 2402.04833)."""
    return pool.scored["num_tokens"]


def by_perplexity(pool: Pool) -> pl.Series:
    """Highest perplexity of its solutions under the reference model first."""
    return pl.Series([math.exp(loss) for loss in pool.scored["loss"]])


def by_ifd(pool: Pool) -> pl.Series:
    """Highest instruction-following difficulty first: the solution's perplexity given the problem over that without it.

    Li et al. 2024 (arXiv 2308.12032); where the problem does not help at all, 1 or more, a text goes to the end.
    """
    from stages.value.similarity import losses_without_problem

    alone = losses_without_problem(pool)
    given = pl.concat(frame.select("text_id", "problem_id", "loss") for frame in pool.value_frames())
    ratio = (pl.col("loss") - pl.col("alone")).exp().mean()
    ratios = (
        given.join(alone, on="problem_id", how="left", maintain_order="left")
        .group_by("text_id")
        .agg(ratio.alias("ratio"))
    )
    scores = _of_texts(pool, ratios, "ratio")
    return scores.to_frame().select(pl.when(pl.col("ratio") < 1).then("ratio").otherwise(-pl.col("ratio"))).to_series()


def by_bm25(pool: Pool) -> pl.Series:
    """Most like a target in its words: BM25 of its problems, mean over a target's problems, the best target's."""
    from stages.value.bm25 import bm25_scores

    return _of_texts(pool, bm25_scores(pool), "score")


def by_embedding(pool: Pool) -> pl.Series:
    """Most like a target in the model's hidden states (RDS+, Ivison et al. 2025, arXiv 2503.01807)."""
    from stages.value.similarity import embedding_scores

    return _of_texts(pool, embedding_scores(pool), "score")


def by_value_with_diversity(pool: Pool) -> pl.Series:
    """The best of each cluster first, then the second best of each, as clusters of the texts' words (stages/value/clusters.py)."""
    from stages.value.clusters import clusters_of

    ranked = pool.scored.select("text_id", "value", clusters_of(pool)).with_row_index("row")
    ranked = ranked.sort("value", "text_id", descending=[True, False])
    turn, rank = pl.int_range(pl.len()).over("cluster") + 1, pl.int_range(pl.len())
    scored = ranked.select("row", (-turn - rank / pl.len()).alias("score"))
    return scored.sort("row")["score"]


def by_target(pool: Pool) -> pl.Series:
    """Each target in turn takes the text that is best for it: equal quotas of the targets."""
    count = pool.scored.height
    by_id = pool.scored["text_id"].rank("ordinal").to_numpy()
    orders = [
        np.lexsort((by_id, -pool.scored[f"target_{k}"].to_numpy())).astype(np.uint32)
        for k in range(len(pool.target_names))
    ]
    next_of, is_taken, scores = [0] * len(orders), bytearray(count), np.zeros(count)
    for turn in range(count):
        k = turn % len(orders)
        while is_taken[orders[k][next_of[k]]]:
            next_of[k] += 1
        text = orders[k][next_of[k]]
        is_taken[text], scores[text] = True, -float(turn)
    return pl.Series(scores)


def _of_texts(pool: Pool, known: pl.DataFrame, column: str) -> pl.Series:
    """A column of a table by `text_id`, in the order of the pool."""
    joined = pool.scored.select("text_id").join(known, on="text_id", how="left", maintain_order="left")
    return joined[column]


STRATEGIES: dict[str, Callable[[Pool], pl.Series]] = {
    "value": by_value,
    "value_diversity": by_value_with_diversity,
    "value_by_target": by_target,
    "random": by_chance,
    "length": by_length,
    "perplexity": by_perplexity,
    "ifd": by_ifd,
    "bm25": by_bm25,
    "embedding": by_embedding,
}
