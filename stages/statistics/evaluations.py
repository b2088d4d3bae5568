"""Reading what `evaluate` wrote of one model, for comparison with another.

run = read_run("pretrained", Path("data/predictions/pretrained/llama"))
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.core.tables import scan_table
from stages.statistics.comparison import Run
from stages.statistics.reference_loss import losses_of
from stages.statistics.votes import voted


def has_votes(results: dict[str, Any]) -> bool:
    """Whether an evaluation has a table of votes; those of earlier versions say nothing of it."""
    return bool(results["config"].get("majority"))


def read_run(name: str, folder: Path, copy: TemporaryDirectory[str] | None = None) -> Run:
    """The evaluation in a folder: results.json, predictions.parquet and, where samples voted, votes.parquet.

    Raises:
        StageError: a table is missing or lacks a column.
    """
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    predictions, votes = folder / "predictions.parquet", folder / "votes.parquet"
    has_losses = results["config"].get("reference_loss", False)
    return Run(
        name, results, scan_table("graded", predictions),
        losses_of(scan_table("predictions", predictions)) if has_losses else None,
        voted(scan_table("graded", votes)) if has_votes(results) else None, copy,
    )  # fmt: skip
