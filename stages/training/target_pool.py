"""The problems of targets as a pool of what is learnt (stages/training/mixing.py)."""

from collections.abc import Sequence
from pathlib import Path

from stages.core.tables import read_batches
from stages.problems.target_examples import target_example
from stages.training.mixing import Pool


def target_pool(tables: Sequence[Path]) -> Pool:
    """The problems of the targets with their own solutions."""
    return Pool(
        lambda: (row for table in tables for batch in read_batches("benchmarks", table) for row in batch.to_pylist()),
        target_example,
        lambda row: f"{row['benchmark']}-{row['index']}",
    )
