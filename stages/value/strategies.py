"""Selection strategies: each gives every candidate text a score, the best highest, from the same pool.

by_value(pool) -> (ScoredText, score), (ScoredText, score), ...

`value`, `random`, `length` and `perplexity` read the pool once, in flat memory. The others hold all texts: they compare
them with each other or with the targets (stages/value/similarity.py), or ask the model (`ifd`, `embedding`).
"""

import math
from collections.abc import Callable, Iterator

from stages.core.tables import seed_of
from stages.value.pool import Pool, ScoredText

Scores = Iterator[tuple[ScoredText, float]]
NUM_COMPONENTS = 50


def by_value(pool: Pool) -> Scores:
    """Highest mean value of a text's problems first, as in the paper."""
    return ((text, text.value) for text in pool.scored_texts())


def by_chance(pool: Pool) -> Scores:
    """In the order of the texts' hashes: the control."""
    return ((text, -float(seed_of("select", str(pool.seed), text.row["text_id"]))) for text in pool.scored_texts())


def by_length(pool: Pool) -> Scores:
    """Longest outputs first: a strong baseline of instruction tuning (Zhao et al. 2024, arXiv 2402.04833)."""
    return ((text, _mean(text, "num_tokens")) for text in pool.scored_texts())


def by_perplexity(pool: Pool) -> Scores:
    """Highest perplexity of its solutions under the reference model first."""
    return ((text, math.exp(_mean(text, "loss"))) for text in pool.scored_texts())


def by_ifd(pool: Pool) -> Scores:
    """Highest instruction-following difficulty first: the solution's perplexity given the problem over that without it.

    Li et al. 2024 (arXiv 2308.12032); where the problem does not help at all, 1 or more, a text goes to the end.
    """
    from stages.value.similarity import losses_without_problem

    alone = losses_without_problem(pool)
    for text in pool.scored_texts():
        ratios = [math.exp(row["loss"] - alone[row["problem_id"]]) for row in text.problems]
        ratio = sum(ratios) / len(ratios)
        yield text, ratio if ratio < 1 else -ratio


def by_bm25(pool: Pool) -> Scores:
    """Most like a target in its words: BM25 of its problems, mean over a target's problems, the best target's."""
    from stages.value.similarity import bm25_scores

    return _from_table(pool, bm25_scores(pool))


def by_embedding(pool: Pool) -> Scores:
    """Most like a target in the model's hidden states (RDS+, Ivison et al. 2025, arXiv 2503.01807)."""
    from stages.value.similarity import embedding_scores

    return _from_table(pool, embedding_scores(pool))


def by_value_with_diversity(pool: Pool) -> Scores:
    """The best of each cluster first, then the second best of each, as clusters of the texts' words.

    k-means with sqrt(n / 2) clusters over principal components, as in clustering and ranking (Ge et al. 2024, arXiv
    2402.18191), here of TF-IDF vectors.
    """
    texts = sorted(pool.scored_texts(), key=lambda text: (-text.value, text.row["text_id"]))
    taken: dict[int, int] = {}
    clusters = clusters_of([text.row["text"] for text in texts], pool.seed)
    for rank, (text, cluster) in enumerate(zip(texts, clusters, strict=True)):
        taken[cluster] = taken.get(cluster, 0) + 1
        yield text, -taken[cluster] - rank / len(texts)


def by_target(pool: Pool) -> Scores:
    """Each target in turn takes the text that is best for it: equal quotas of the targets."""
    texts = list(pool.scored_texts())
    targets = [entry["target"] for entry in texts[0].problems[0]["target_values"]] if texts else []
    orders = [
        iter(sorted(range(len(texts)), key=lambda i: (-_target_value(texts[i], k), texts[i].row["text_id"])))
        for k in range(len(targets))
    ]
    free = set(range(len(texts)))
    for turn in range(len(texts)):
        chosen = next(i for i in orders[turn % len(orders)] if i in free)
        free.remove(chosen)
        yield texts[chosen], -float(turn)


def clusters_of(texts: list[str], seed: int) -> list[int]:
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(texts) < 4:
        return list(range(len(texts)))
    vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=r"\w+").fit_transform(texts)
    size = min(NUM_COMPONENTS, vectors.shape[1] - 1, len(texts) - 1)
    if size > 1:
        vectors = TruncatedSVD(size, random_state=seed).fit_transform(vectors)
    kmeans = MiniBatchKMeans(max(2, round(math.sqrt(len(texts) / 2))), random_state=seed, n_init=3)
    return [int(cluster) for cluster in kmeans.fit_predict(vectors)]


def _mean(text: ScoredText, column: str) -> float:
    return sum(float(row[column]) for row in text.problems) / len(text.problems)


def _target_value(text: ScoredText, k: int) -> float:
    return sum(float(row["target_values"][k]["value"]) for row in text.problems) / len(text.problems)


def _from_table(pool: Pool, scores: dict[str, float]) -> Scores:
    return ((text, scores[text.row["text_id"]]) for text in pool.scored_texts())


STRATEGIES: dict[str, Callable[[Pool], Scores]] = {
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
