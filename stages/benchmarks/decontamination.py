"""Is a problem too close to a benchmark's? Word n-grams with coverage.

    index = load_index(Path("data/benchmarks"), ["grade"])
    index.find("Natalia sold clips to 48 of her friends ...") -> Hit("grade", 17, "13-gram", "natalia sold clips ...")

A problem is hit by a shared 13-gram (Brown et al. 2020, arXiv 2005.14165, app. C), by shared 8-grams that cover at
least half of the benchmark problem and at least 10 words of it, or, when the benchmark problem is shorter than that, by
containing it whole. Ten words, because one 8-gram alone is often the boilerplate of a question: "times as many, how
many do they have together" is more than half of a short benchmark problem, and no leak.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.core.tables import read_table

LONG, SHORT = 13, 8
MIN_COVERAGE = 0.5
MIN_COVERED_WORDS = 10


@dataclass(frozen=True)
class Hit:
    benchmark: str
    index: int
    rule: str
    span: str

    def __str__(self) -> str:
        return f"{self.benchmark}[{self.index}] by {self.rule}: {self.span}"


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+|[^\sa-z\d.,;:!?'\"()$]", text.lower())


def ngrams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


class Index:
    """The n-grams of benchmark problems; `problems` are (benchmark, index, text)."""

    def __init__(self, problems: Iterable[tuple[str, int, str]]) -> None:
        self.sources: list[tuple[str, int, int]] = []  # benchmark, index, number of words
        self.long: dict[tuple[str, ...], int] = {}
        self.short: defaultdict[tuple[str, ...], set[tuple[int, int]]] = defaultdict(set)  # -> (source, position)
        for benchmark, index, text in problems:
            tokens = words(text)
            number = len(self.sources)
            self.sources.append((benchmark, index, len(tokens)))
            for gram in ngrams(tokens, LONG):
                self.long.setdefault(gram, number)
            for position, gram in enumerate(ngrams(tokens, min(SHORT, len(tokens) or 1))):
                self.short[gram].add((number, position))
        self.short_sizes = sorted({len(gram) for gram in self.short})

    def find(self, text: str) -> Hit | None:
        """The first hit in the text, or None."""
        tokens = words(text)
        for gram in ngrams(tokens, LONG):
            if gram in self.long:
                return self._hit(self.long[gram], f"{LONG}-gram", gram)
        covered: defaultdict[int, set[int]] = defaultdict(set)
        for size in self.short_sizes:
            for gram in ngrams(tokens, size):
                for number, position in self.short.get(gram, ()):
                    covered[number].update(range(position, position + size))
                    if len(covered[number]) >= needed_words(self.sources[number][2]):
                        return self._hit(number, f"{size}-gram coverage", gram)
        return None

    def _hit(self, number: int, rule: str, gram: tuple[str, ...]) -> Hit:
        benchmark, index, _ = self.sources[number]
        return Hit(benchmark, index, rule, " ".join(gram))


def needed_words(num_words: int) -> float:
    """How many words of a benchmark problem of so many words must be covered for a hit."""
    return max(MIN_COVERAGE * num_words, min(MIN_COVERED_WORDS, num_words))


def load_index(folder: Path, names: Iterable[str]) -> Index:
    """The index of the named benchmarks in a folder of tables."""
    tables = [read_table("benchmarks", folder / f"{name}.parquet") for name in names]
    return Index((row["benchmark"], row["index"], row["problem"]) for rows in tables for row in rows)
