"""The candidate texts with what is known of them, as selection strategies see it.

    pool = Pool(texts=Path("data/texts/candidate.parquet"), values=Path("data/value/values"), ...)
    for text in pool.scored_texts(): text.row, text.problems, text.value

Texts and values are read side by side, in one pass: a text's problems stand together in `values`, in the texts' order, as
`synthesize` writes them. So ten million texts take no more memory than ten.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.core.command import StageError
from stages.core.named_tables import tables_named
from stages.core.tables import Row, read_rows, read_table


@dataclass(frozen=True)
class ScoredText:
    row: Row  # of `texts`
    problems: list[Row]  # of `values`: its problems
    value: float


@dataclass(frozen=True)
class Pool:
    texts: Path
    values: Path
    problems: Path  # what the synthesizer made of them
    targets: Path  # the folder of the targets that the values are for
    base: Path  # the model whose states and losses `embedding` and `ifd` take
    reference: Path
    seed: int
    length_bins: int = 0  # 0: a value as it is; else how far it stands out among problems as long

    def scored_texts(self) -> Iterator[ScoredText]:
        """The texts that have a value, in order; its problems' mean. A text of which no problem was made has none."""
        control = self.length_control
        texts = read_rows("texts", self.texts)
        for text_id, group in itertools.groupby(read_rows("values", self.values), key=lambda row: row["text_id"]):
            problems = list(group)
            row = next((row for row in texts if row["text_id"] == text_id), None)
            if row is None:
                raise StageError(
                    f"{self.values}: the text {text_id} of problem {problems[0]['problem_id']} is not in {self.texts}, or "
                    f"not in its order. Run `dvc repro estimate_value` for these texts."
                )
            yield ScoredText(row, problems, sum(map(control, problems)) / len(problems))

    def problem_rows(self) -> dict[str, list[Row]]:
        """text -> its problems with their statements; all in memory."""
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in read_rows("problems", self.problems):
            found[row["text_id"]].append(row)
        return found

    def target_rows(self) -> dict[str, list[Row]]:
        """target -> its problems, of the targets that the values are for."""
        first: Row = next(read_rows("values", self.values), {"target_values": []})
        names = [entry["target"] for entry in first["target_values"]]
        tables = tables_named(self.targets, names) if names else {}
        return {name: read_table("benchmarks", path) for name, path in tables.items()}

    @cached_property
    def length_control(self) -> Callable[[Row], float]:
        """The value of a problem: as it is, or its standard score within its bin of equally many lengths.

        A short output has few tokens to average over, so its gradient is large and its direction noisy; a cosine takes
        out the size, not the noise (docs/value.md has the measured correlation).
        """
        if not self.length_bins:
            return lambda row: float(row["value"])
        bin_of = self._bins_of_lengths()
        sums: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for row in read_rows("values", self.values):
            moments = sums[bin_of[row["num_tokens"]]]
            for power in range(3):
                moments[power] += row["value"] ** power
        means = {name: first / count for name, (count, first, _) in sums.items()}
        stds = {n: math.sqrt(max(second / count - means[n] ** 2, 0.0)) for n, (count, _, second) in sums.items()}

        def standard_score(row: Row) -> float:
            name = bin_of[row["num_tokens"]]
            return (float(row["value"]) - means[name]) / stds[name] if stds[name] > 0 else 0.0

        return standard_score

    def _bins_of_lengths(self) -> dict[int, int]:
        """length in tokens -> bin, each with about as many problems."""
        counts: defaultdict[int, int] = defaultdict(int)
        for row in read_rows("values", self.values):
            counts[row["num_tokens"]] += 1
        total, before, bins = sum(counts.values()), 0, {}
        for length in sorted(counts):
            bins[length] = before * self.length_bins // total
            before += counts[length]
        return bins
