"""Is a text too close to a benchmark's? Word n-grams with coverage, for problems, texts and training sets alike.

    index = load_index(Path("data/benchmarks"), DecontaminationRules())
    index.find("Natalia sold clips to 48 of her friends ...") -> Hit("gsm8k", 17, "question", "13-gram", "natalia sold ...")

A benchmark's question, or its reference solution where that is long, is an *entry*. A text is hit by

- `13-gram`: 13 words of a question in a row (Brown et al. 2020, arXiv 2005.14165, app. C), or of a solution of which at
  least half is covered by 8-grams;
- `8-gram coverage`: 8-grams that cover at least half of the question, and at least 10 words of it;
- `whole`: all of a question of 5 to 7 words; a question of fewer words only if it is all of the text;
- `changed numbers`: 8-grams, every number taken as the same, that cover at least 80% of a question of 13 words or more.

What is common to many entries ("express your answer as a common fraction"), or is next to nothing but numbers and
formula letters, is no sign of a leak: 13 words that are all in n-grams of over five entries are none, and what holds
under three words of two letters or more counts only where it goes on from what holds more (stages/overlap/ngrams.py). A batch is hashed as one array; only texts that hold an n-gram of an
entry are looked at one by one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from stages.core.named_tables import tables_named
from stages.core.parallel import ordered_map
from stages.core.tables import read_table
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.overlap.ngrams import ANSWER, MIN_WHOLE_WORDS, QUESTION, Entry, Grams, Matches, Stretch
from stages.overlap.word_hashes import HashedWords, hash_words
from stages.overlap.words import words_of

MIN_COVERED_WORDS = 10  # one 8-gram is more than half of a short question, and often a phrase
MIN_ANSWER_WORDS = 20  # a shorter solution is a formula or a phrase
MIN_CHANGED_WORDS = 13
MIN_CHANGED_COVERAGE = 0.8
BATCH = 1000
DRAWING = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)  # MATH's figures are programs, alike in many items


@dataclass(frozen=True)
class Hit:
    benchmark: str
    index: int
    part: str
    rule: str
    span: str

    def __str__(self) -> str:
        return f"{self.benchmark}[{self.index}] {self.part} by {self.rule}: {self.span}"


class Index:
    """The entries of benchmarks, ready to be looked for; `entries` are (benchmark, index, part, text)."""

    def __init__(self, entries: Iterable[tuple[str, int, str, str]], rules: DecontaminationRules) -> None:
        self.rules = rules
        plain = [(benchmark, index, part, DRAWING.sub(" ", text)) for benchmark, index, part, text in entries]
        told = [Entry(benchmark, index, part, words_of(text)) for benchmark, index, part, text in plain]
        self.entries = [entry for entry in told if entry.words]
        flat = hash_words([text for (*_, text), entry in zip(plain, told, strict=True) if entry.words]).flat
        self.exact = Grams(self.entries, rules.short_words, flat, abstract=False)
        self.abstracted = (
            Grams(self.entries, rules.short_words, flat, abstract=True) if rules.abstract_numbers else None
        )
        self.tiny = {
            tuple(entry.words): number
            for number, entry in enumerate(self.entries)
            if entry.part == QUESTION and len(entry.words) < MIN_WHOLE_WORDS
        }

    def find(self, text: str) -> Hit | None:
        return self.find_all([text])[0]

    def find_all(self, texts: list[str]) -> list[Hit | None]:
        """For each text the hit that covers most of its entry, or None; on all workers."""
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        found = ordered_map(self.find_batch, batches) if len(batches) > 1 else map(self.find_batch, batches)
        return [hit for hits in found for hit in hits]

    def find_batch(self, texts: list[str]) -> list[Hit | None]:
        """The same in this process, all texts as one array."""
        return self.find_words(texts, hash_words(texts))

    def find_words(self, texts: list[str], hashed: HashedWords) -> list[Hit | None]:
        """The same for a batch of texts with their words' hashes."""
        hits = [
            self._tiny_hit(words_of(text)) if count < MIN_WHOLE_WORDS else None
            for text, count in zip(texts, hashed.counts.tolist(), strict=True)
        ]
        for grams in filter(None, (self.exact, self.abstracted)):
            is_open = np.array([hit is None for hit in hits], dtype=bool)
            for number, entries in _by_text(grams.matches(hashed.flat), hashed, is_open).items():
                hits[number] = self._best_hit(grams, entries, texts[number], hashed.of(number))
        return hits

    def _tiny_hit(self, words: list[str]) -> Hit | None:
        number = self.tiny.get(tuple(words))
        return None if number is None else self._hit(number, "whole", words)

    def _best_hit(self, grams: Grams, entries: list[Matches], text: str, flat: np.ndarray) -> Hit | None:
        """Of the entries that one text matches, the hit that covers most of its entry; `flat` are the text's words."""
        best: tuple[float, int, str, Stretch] | None = None
        for matches in entries:
            number = int(matches.entries[0])
            stretches = grams.stretches(matches, flat)
            covered = len({place for s in stretches for place in range(s.position, s.position + s.words)})
            longest = max(stretches, key=lambda s: (not s.is_common, s.words))
            run = 0 if longest.is_common else longest.words
            if rule := self._rule(self.entries[number], covered, run, grams is self.exact):
                coverage = covered / len(self.entries[number].words)
                if best is None or coverage > best[0]:
                    best = coverage, number, rule, longest
        if best is None:
            return None
        _, number, rule, longest = best
        return self._hit(number, rule, words_of(text)[longest.place : longest.place + longest.words])

    def _rule(self, entry: Entry, covered: int, run: int, is_exact: bool) -> str | None:
        count, rules = len(entry.words), self.rules
        if not is_exact:
            enough = entry.part == QUESTION and count >= MIN_CHANGED_WORDS and covered >= MIN_CHANGED_COVERAGE * count
            return "changed numbers" if enough else None
        is_covered = covered >= needed_words(count, rules.min_coverage)
        if run >= rules.long_words and (is_covered or entry.part == QUESTION):
            return f"{rules.long_words}-gram"
        if entry.part == ANSWER or not is_covered:
            return None
        return "whole" if count < rules.short_words else f"{rules.short_words}-gram coverage"

    def _hit(self, number: int, rule: str, span: list[str]) -> Hit:
        entry = self.entries[number]
        return Hit(entry.benchmark, entry.index, entry.part, rule, " ".join(span))


def needed_words(num_words: int, min_coverage: float) -> float:
    """How many words of a question of so many words must be covered for a hit."""
    return max(min_coverage * num_words, min(MIN_COVERED_WORDS, num_words))


def _by_text(matches: Matches, hashed: HashedWords, is_open: np.ndarray) -> dict[int, list[Matches]]:
    """The matches of each open text by entry, in the order in which entries are met, with places counted in the text."""
    texts = np.searchsorted(hashed.starts, matches.places, "right") - 1
    order = np.lexsort((matches.positions, matches.places, matches.entries, texts))
    order = order[is_open[texts[order]]]
    texts, entries = texts[order], matches.entries[order]
    is_first = (np.diff(texts, prepend=-1) != 0) | (np.diff(entries, prepend=-1) != 0)
    bounds = np.append(np.flatnonzero(is_first), len(order)).tolist()
    groups = sorted((int(texts[a]), int(order[a:b].min()), a, b) for a, b in pairwise(bounds))
    found: dict[int, list[Matches]] = {}
    for text, _, start, end in groups:
        rows = order[start:end]
        places = matches.places[rows] - hashed.starts[text]
        found.setdefault(text, []).append(
            Matches(entries[start:end], matches.positions[rows], places, matches.rows[rows])
        )
    return found


def load_index(folder: Path, rules: DecontaminationRules) -> Index:
    """The index of all benchmarks in a folder of tables: none is left out of what is kept out."""
    tables = [read_table("benchmarks", table) for table in tables_named(folder, ()).values()]
    return Index((entry for rows in tables for row in rows for entry in entries_of(row)), rules)


def entries_of(row: dict[str, str | int]) -> Iterator[tuple[str, int, str, str]]:
    """The question of a benchmark's row, and its solution where it is long."""
    benchmark, index = str(row["benchmark"]), int(row["index"])
    yield benchmark, index, QUESTION, str(row["problem"])
    solution = str(row["solution"])
    if len(words_of(solution)) >= MIN_ANSWER_WORDS:
        yield benchmark, index, ANSWER, solution
