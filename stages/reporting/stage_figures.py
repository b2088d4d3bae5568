"""Gathering every stage's figures from its outputs into one nested record, `reports/details.json`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from stages.core.schemas import Row
from stages.core.tables import collected, count_rows, scan_table
from stages.reporting.sampling import rank_of, sampled

ROUNDS = ("initial", "boost")
NUM_LEAKS = 50
TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens")


def gather_corpus(data: Path, sources: Iterable[str]) -> dict[str, Any]:
    """For each source: documents read and cut, texts, what curation left, and every reason's count."""
    curated = json.loads((data / "curated" / "counts.json").read_text())["sources"]
    figures: dict[str, Any] = {}
    for source in sources:
        counts = json.loads((data / "corpus" / source / "counts.json").read_text())
        documents, snippets = counts["documents"], counts["snippets"]
        figures[source] = {
            "num_documents": documents["read"], "num_texts": snippets["kept"], "num_curated": curated[source]["kept"],
            "rejected_documents": documents["rejected"], "rejected_texts": snippets["rejected"],
            "rejected_in_curation": curated[source]["rejected"],
        }  # fmt: skip
    return figures


def gather_leaks(data: Path, targets: Sequence[str]) -> tuple[dict[str, Any], list[Row]]:
    """How many problems of each target touch a benchmark, by benchmark; and NUM_LEAKS of the problems, chosen by hash."""
    tables = {target: scan_table("leaked", data / "leaks" / f"{target}.parquet") for target in targets}
    figures: dict[str, Any] = {}
    if not tables:
        return figures, []
    for target, table in tables.items():
        by_benchmark = _counts(table, "leaked_benchmark")
        figures[target] = {"num_leaked": sum(by_benchmark.values()), "by_benchmark": by_benchmark}
    leaked, _ = sampled([table.drop("options") for table in tables.values()], rank_of("benchmark", "index"), NUM_LEAKS)
    return figures, leaked.to_dicts()


def gather_distillation(data: Path) -> dict[str, Any]:
    """Requests, tokens, cost and what parsing kept, for each round and model."""
    figures = {}
    for name in ROUNDS:
        completions = scan_table("completions", data / "distillation" / name / "completions.parquet")
        sums = collected(completions.select(pl.len(), pl.sum(*TOKENS, "usd"))).row(0, named=True)
        figures[name] = {
            "model": _most_common(completions, "served_model"), "num_requests": sums["len"],
            **{column: sums[column] for column in TOKENS}, "usd": round(sums["usd"], 6),
            "num_problems": count_rows(data / "problems" / name / "problems.parquet"),
            "rejected": _counts(scan_table("rejected", data / "problems" / name / "rejected.parquet"), "reason"),
            "repaired": json.loads((data / "problems" / name / "repairs.json").read_text()),
        }  # fmt: skip
    return figures


def gather_synthesis(data: Path) -> dict[str, Any]:
    figures = {}
    for name in ("candidates", "corpus"):
        folder = data / "synthesis" / name
        rejected = _counts(scan_table("rejected", folder / "rejected.parquet"), "reason")
        figures[name] = {"num_problems": count_rows(folder / "problems.parquet"), "rejected": rejected}
    return figures


def _counts(table: pl.LazyFrame, column: str) -> dict[str, int]:
    return dict(collected(table.group_by(column).len().sort(column)).iter_rows())


def _most_common(completions: pl.LazyFrame, column: str) -> str:
    """The most common text of a column, of several the first; "none" where all are empty."""
    named = completions.select(column).with_row_index().filter(pl.col(column) != "")
    counts = collected(named.group_by(column).agg(pl.len(), pl.min("index")))
    return str(counts.sort("len", "index", descending=[True, False])[column].first() or "none")
