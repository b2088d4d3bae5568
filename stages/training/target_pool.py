"""The problems of targets as a pool of what is learnt (stages/training/mixing.py)."""

from collections.abc import Sequence
from pathlib import Path

from stages.core.tables import scan_table
from stages.problems.target_examples import target_example
from stages.training.mixing import Pool


def target_pool(tables: Sequence[Path]) -> Pool:
    """The problems of the targets with their own solutions."""
    return Pool(scan_table("benchmarks", *tables), target_example, lambda row: f"{row['benchmark']}-{row['index']}")
