"""The candidate texts with what is known of them, as selection strategies see it: a row for each text that has a value.

    pool = Pool(texts=Path("data/texts/candidate.parquet"), values=Path("data/value/values"), ...)
    pool.scored        # text_id, cell, is_on_topic, names_topic, value, num_tokens, loss, target_0, target_1, ...

Texts and values are read side by side, in one pass: a text's problems stand together in `values`, in the texts' order, as
`synthesize` writes them. What is kept of a text is its row in `scored`, some 80 bytes; its words are read again where they are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import polars as pl

from stages.core.command import StageError
from stages.core.named_tables import tables_named
from stages.core.parallel import ordered_map
from stages.core.schemas import Row
from stages.core.tables import BATCH_ROWS, collected, frames, read_table, scan_table
from stages.texts.quotas import Quotas
from stages.value.length_bins import standard_scores
from stages.value.topic_shares import is_on_topic, topics_of


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
    quotas: Quotas = field(default_factory=Quotas)

    @cached_property
    def scored(self) -> pl.DataFrame:
        """The texts that have a value, in order, each with the means of its problems.

        `cell`: the quotas that a text counts against (stages/texts/quotas.py), one a line.
        """
        by_text = pl.concat(map(self._means, self.value_frames()))
        known: list[tuple[str, bool, bool]] = []
        for batch in ordered_map(partial(_look, self.quotas), self._text_rows(by_text)):
            known += batch
        cells, on_topic, names = zip(*known, strict=True) if known else ((), (), ())
        return by_text.with_columns(
            pl.Series("cell", cells, pl.String), pl.Series("is_on_topic", on_topic, pl.Boolean), pl.Series("names_topic", names, pl.Boolean)
        )  # fmt: skip

    def value_frames(self) -> Iterator[pl.DataFrame]:
        """The rows of `values` after the control of length; a frame holds all problems of its texts, and there is one at least."""
        values = scan_table("values", self.values)
        if self.length_bins:
            values = standard_scores(values, self.length_bins)
        return by_texts(values)

    @cached_property
    def target_names(self) -> list[str]:
        """The targets that the values are for."""
        first = collected(scan_table("values", self.values).select("target_values").head(1))
        return [entry["target"] for row in first["target_values"] for entry in row]

    def target_rows(self) -> dict[str, list[Row]]:
        """target -> its problems, of the targets that the values are for."""
        tables = tables_named(self.targets, self.target_names) if self.target_names else {}
        return {name: read_table("benchmarks", path) for name, path in tables.items()}

    def texts_of(self, scored: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The rows of `texts` of these texts, which are some of `scored` in its order; in frames.

        Raises:
            StageError: one is not there, or not in this order.
        """
        done = 0
        for frame in frames(scan_table("texts", self.texts)):
            wanted = scored["text_id"][done : done + frame.height]
            found = frame.join(wanted.to_frame(), on="text_id", how="semi", maintain_order="left")
            found = found.unique("text_id", keep="first", maintain_order=True)
            if not found["text_id"].equals(wanted[: found.height]):
                break
            done += found.height
            yield found
        if done < scored.height:
            raise self._missing(scored["text_id"][done])

    def _missing(self, text_id: str) -> StageError:
        of_text = scan_table("values", self.values).filter(pl.col("text_id") == text_id)
        problem_id = collected(of_text.select("problem_id").head(1)).item()
        return StageError(
            f"{self.values}: the text {text_id} of problem {problem_id} is not in {self.texts}, or not in its order. Run "
            "`dvc repro estimate_value` for these texts."
        )

    def _means(self, values: pl.DataFrame) -> pl.DataFrame:
        targets = [
            pl.col("target_values").list.get(k).struct.field("value").mean().alias(f"target_{k}")
            for k in range(len(self.target_names))
        ]
        means = [pl.col("value", "num_tokens", "loss").mean(), *targets]
        return values.group_by("text_id", maintain_order=True).agg(means)

    def _text_rows(self, by_text: pl.DataFrame) -> Iterator[list[Row]]:
        for frame in self.texts_of(by_text):
            for batch in frame.select("text_id", "source", "text").iter_slices(BATCH_ROWS):
                yield batch.to_dicts()


def by_texts(query: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The frames of a query whose rows of one text stand together, cut where another text begins; one frame at least."""
    held = pl.DataFrame(schema=query.collect_schema())
    for frame in frames(query):
        held = held.vstack(frame)
        is_last = held["text_id"] == held["text_id"][-1]
        if not is_last.all():
            yield held.filter(~is_last)
            held = held.filter(is_last)
    yield held


def _look(quotas: Quotas, texts: list[Row]) -> list[tuple[str, bool, bool]]:
    """The cell of each text, whether it is on topic, and whether it names any; for a worker process."""
    return [("\n".join(quotas.cell(row)), is_on_topic(row["text"]), bool(topics_of(row["text"]))) for row in texts]
