"""What others wrote to fine-tune with, as a pool of what is learnt (stages/training/mixing.py)."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from stages.core.schemas import SCHEMAS
from stages.core.tables import scan_table
from stages.problems.student_format import Example
from stages.training.mixing import Pool


def example_pool(tables: Sequence[Path]) -> Pool:
    """The rows of the tables `examples`, as they stand; an empty pool of no tables."""
    rows = (
        scan_table("examples", *tables)
        if tables
        else pl.LazyFrame(schema=dict.fromkeys(SCHEMAS["examples"].names, pl.String))
    )
    return Pool(rows, lambda row: Example(row["input"], row["output"]), lambda row: row["example_id"])
