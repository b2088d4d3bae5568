"""BM25 of the candidates' problems, with a target's problems as queries, without an index: two passes over the problems.

score(document) = mean over queries, sum over their words t of  idf(t) tf / (tf + K1 (1 - B + B length / mean length))
idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))

A mean over queries is linear, so a target is one weight for each of its words: what is kept is the targets' words with their counts,
and a number for each text. Words, constants and idf are those of bm25s and Lucene; a test compares the scores with bm25s'.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import bm25s
import numpy as np
import polars as pl

from stages.core.parallel import ordered_map
from stages.core.schemas import Row
from stages.core.tables import BATCH_ROWS, scan_table
from stages.value.pool import Pool, by_texts

K1, B = 1.5, 0.75

Words = list[list[str]]


def bm25_scores(pool: Pool) -> pl.DataFrame:
    """text_id, score: the best target's mean BM25 score of the text's problems, over the target's problems as queries."""
    scores = scores_of(target_weights(pool.target_rows().values()), partial(documents, pool))
    text_ids = pl.concat(frame["text_id"].unique(maintain_order=True) for frame in problem_frames(pool))
    return pl.DataFrame({"text_id": text_ids, "score": pl.Series(scores, dtype=pl.Float64)})


def likest_half(pool: Pool) -> pl.Series:
    """bool, a row for each of `pool.scored`: whether a text, by its own words, is more like a target than half of the candidates."""

    def texts() -> Iterator[list[str]]:
        for frame in pool.texts_of(pool.scored):
            for batch in frame["text"].to_frame().iter_slices(BATCH_ROWS):
                yield batch["text"].to_list()

    scores = pl.Series(scores_of(target_weights(pool.target_rows().values()), texts), dtype=pl.Float64)
    return scores > scores.median() if len(scores) else scores.cast(pl.Boolean)


def scores_of(weights: dict[str, np.ndarray], read: Callable[[], Iterator[list[str]]]) -> list[float]:
    """The best target's score of each document, in order; `read` gives the documents in batches, twice."""
    num_texts, num_words, found_in = 0, 0, Counter[str]()
    for lengths, words in ordered_map(partial(count_words, weights.keys()), read()):
        num_texts, num_words = num_texts + len(lengths), num_words + sum(lengths)
        found_in.update(words)
    idf = {word: np.log(1 + (num_texts - count + 0.5) / (count + 0.5)) for word, count in found_in.items()}
    weighted = {word: idf[word] * weights[word] for word in idf}
    rank = partial(score, weighted, num_words / max(num_texts, 1))
    return [number for batch in ordered_map(rank, read()) for number in batch]


def target_weights(targets: Iterable[list[Row]]) -> dict[str, np.ndarray]:
    """word -> how often it stands in a query, mean over the queries of each target, float64[targets]."""
    counts = [
        Counter(word for words in words_of([row["problem"] for row in rows]) for word in words) for rows in targets
    ]
    sizes = [len(rows) for rows in targets]
    return {
        word: np.array([count[word] / size for count, size in zip(counts, sizes, strict=True)])
        for word in dict.fromkeys(word for count in counts for word in count)
    }


def problem_frames(pool: Pool) -> Iterator[pl.DataFrame]:
    return by_texts(scan_table("problems", pool.problems).select("text_id", "problem"))


def documents(pool: Pool) -> Iterator[list[str]]:
    """The problems of each text as one document, in batches."""
    for frame in problem_frames(pool):
        joined = frame.group_by("text_id", maintain_order=True).agg(pl.col("problem").str.join(" "))["problem"]
        for start in range(0, len(joined), BATCH_ROWS):
            yield joined[start : start + BATCH_ROWS].to_list()


def words_of(texts: list[str]) -> Words:
    return list(bm25s.tokenize(texts, return_ids=False, show_progress=False))


def count_words(asked: Iterable[str], texts: list[str]) -> tuple[list[int], Counter[str]]:
    """The lengths of some documents in words, and in how many of them each asked word stands; for a worker process."""
    documents = words_of(texts)
    return [len(words) for words in documents], Counter(word for words in documents for word in set(words) & set(asked))


def score(weighted: dict[str, np.ndarray], mean_length: float, texts: list[str]) -> list[float]:
    """The best target's score of each document; for a worker process."""
    return [_score(weighted, mean_length, words) for words in words_of(texts)]


def _score(weighted: dict[str, np.ndarray], mean_length: float, words: list[str]) -> float:
    norm = K1 * (1 - B + B * len(words) / mean_length)
    counts = Counter(word for word in words if word in weighted)
    if not counts:
        return 0.0
    return float(np.sum([weighted[word] * (tf / (tf + norm)) for word, tf in counts.items()], axis=0).max())
