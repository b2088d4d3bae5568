"""Clusters of the candidate texts' words: k-means with sqrt(n / 2) clusters over principal components of TF-IDF vectors.

As in clustering and ranking (Ge et al. 2024, arXiv 2402.18191), which has a model's vectors in place of TF-IDF's. Words, components and
centers are learnt from FIT_TEXTS texts at most, chosen by hash, and each text is then given to its nearest center, a frame at a time.
"""

import math
from collections.abc import Callable

import numpy as np
import polars as pl

from stages.core.tables import seed_of
from stages.value.pool import Pool

NUM_COMPONENTS = 50
FIT_TEXTS = 50_000  # 75 MB of snippets of 1,500 characters


def clusters_of(pool: Pool) -> pl.Series:
    """`cluster` of each text of `pool.scored`."""
    texts = pool.scored.select("text_id", "value").with_row_index("row")
    if len(texts) < 4:
        return texts["row"].alias("cluster").cast(pl.Int64)
    assign = fit(_sample(pool, texts), round(math.sqrt(len(texts) / 2)), pool.seed)
    clusters = [assign(frame["text"].to_list()) for frame in pool.texts_of(pool.scored)]
    return pl.Series("cluster", np.concatenate(clusters), pl.Int64)


def fit(texts: list[str], num_clusters: int, seed: int) -> Callable[[list[str]], np.ndarray]:
    """Learn clusters from some texts; returns what gives the clusters int[N] of others."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    tfidf = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=r"\w+")
    size = min(NUM_COMPONENTS, len(tfidf.fit(texts).vocabulary_) - 1, len(texts) - 1)
    components = [TruncatedSVD(size, random_state=seed)] if size > 1 else []
    kmeans = MiniBatchKMeans(max(2, num_clusters), random_state=seed, n_init=3)
    return make_pipeline(tfidf, *components, kmeans).fit(texts).predict  # type: ignore[no-any-return]


def _sample(pool: Pool, texts: pl.DataFrame) -> list[str]:
    """The texts to learn from, the highest value first."""
    if len(texts) > FIT_TEXTS:
        draws = [seed_of("clusters", str(pool.seed), text_id) for text_id in texts["text_id"]]
        lowest = pl.Series(draws).arg_sort()[:FIT_TEXTS].sort()
        texts = texts[lowest]
    words = pl.concat(frame.select("text_id", "text") for frame in pool.texts_of(texts))
    ranked = texts.with_columns(words["text"]).sort("value", "text_id", descending=[True, False])
    return ranked["text"].to_list()
