"""The candidate problems in shards of equal size, each read by its number without the ones before it.

candidates = Candidates(Path("data/synthesis/candidates/problems.parquet"), shard_rows=512)
candidates.num_shards, candidates.rows(3), candidates.examples(3, tokenizer, max_length)
"""

import bisect
import itertools
from pathlib import Path

import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerBase

from stages.core.tables import Row, read_batches, table_files
from stages.models.tokenization import TokenizedExample, tokenize
from stages.problems.student_format import student_example


class Candidates:
    """A table of problems; keeps the row group that it read last, so shards in order read each group once."""

    def __init__(self, path: Path, shard_rows: int) -> None:
        self.shard_rows = shard_rows
        next(read_batches("problems", path), None)  # a wrong schema is said here
        self.groups: list[tuple[Path, int]] = []
        sizes = []
        for file in table_files(path):
            metadata = pq.read_metadata(file)
            for group in range(metadata.num_row_groups):
                self.groups.append((file, group))
                sizes.append(metadata.row_group(group).num_rows)
        self.ends = list(itertools.accumulate(sizes))
        self.cached: tuple[int, list[Row]] = (-1, [])

    @property
    def num_rows(self) -> int:
        return self.ends[-1] if self.ends else 0

    @property
    def num_shards(self) -> int:
        return -(-self.num_rows // self.shard_rows)

    def rows(self, shard: int) -> list[Row]:
        start, stop = shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.num_rows)
        rows: list[Row] = []
        while start + len(rows) < stop:
            at = start + len(rows)
            group = bisect.bisect_right(self.ends, at)
            begin = self.ends[group - 1] if group else 0
            rows += self._group(group)[at - begin : stop - begin]
        return rows

    def examples(
        self, shard: int, tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> tuple[list[int], list[TokenizedExample]]:
        """The places in the shard of the problems that fit `max_length` tokens, and they as students read them."""
        places, examples = [], []
        for place, row in enumerate(self.rows(shard)):
            tokenized, _ = tokenize(
                [student_example(row["problem"], row["solution"], row["mode"])], tokenizer, max_length
            )
            if tokenized:
                places.append(place)
                examples.append(tokenized[0])
        return places, examples

    def _group(self, number: int) -> list[Row]:
        if self.cached[0] != number:
            file, group = self.groups[number]
            with pq.ParquetFile(file) as parquet:
                self.cached = (number, parquet.read_row_group(group).to_pylist())
        return self.cached[1]
