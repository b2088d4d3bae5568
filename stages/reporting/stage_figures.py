"""Gathering every stage's figures from its outputs into one nested record, `reports/metrics.json`."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from stages.core.tables import Row, read_table

ROUNDS = ("initial", "boost")


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


def gather_leaks(data: Path, targets: Iterable[str]) -> tuple[dict[str, Any], list[Row]]:
    """How many problems of each target touch a benchmark, by benchmark; and the problems."""
    figures: dict[str, Any] = {}
    leaked: list[Row] = []
    for target in targets:
        rows = read_table("leaked", data / "leaks" / f"{target}.parquet")
        by_benchmark = dict(sorted(Counter(row["leaked_benchmark"] for row in rows).items()))
        figures[target] = {"num_leaked": len(rows), "by_benchmark": by_benchmark}
        leaked += rows
    return figures, leaked


def gather_distillation(data: Path) -> dict[str, Any]:
    """Requests, tokens, cost and what parsing kept, for each round and model."""
    figures = {}
    for name in ROUNDS:
        completions = read_table("completions", data / "distillation" / name / "completions.parquet")
        problems = read_table("problems", data / "problems" / name / "problems.parquet")
        rejected = read_table("rejected", data / "problems" / name / "rejected.parquet")
        num_in = sum(row["prompt_tokens"] for row in completions)
        num_out = sum(row["completion_tokens"] for row in completions)
        models = Counter(row["served_model"] for row in completions if row["served_model"])
        figures[name] = {
            "model": next((name for name, _ in models.most_common(1)), "none"), "num_requests": len(completions), "prompt_tokens": num_in,
            "completion_tokens": num_out, "cached_tokens": sum(row["cached_tokens"] for row in completions),
            "usd": round(sum(row["usd"] for row in completions), 6), "num_problems": len(problems), "rejected": _counts(rejected),
            "repaired": json.loads((data / "problems" / name / "repairs.json").read_text()),
        }  # fmt: skip
    return figures


def gather_synthesis(data: Path) -> dict[str, Any]:
    figures = {}
    for name in ("candidates", "corpus"):
        problems = read_table("problems", data / "synthesis" / name / "problems.parquet")
        rejected = read_table("rejected", data / "synthesis" / name / "rejected.parquet")
        figures[name] = {"num_problems": len(problems), "rejected": _counts(rejected)}
    return figures


def gather_value(reports: Path, data: Path) -> tuple[dict[str, Any], list[Row]]:
    """Counts of estimate_value, the bias of lengths (Spearman), selection's figures; and the values with their places.

    A place: {"value": 0.2, "source": "web", "level": "grade", "num_tokens": 61}.
    """
    record = json.loads((reports / "values.json").read_text())
    source_of = {row["text_id"]: row["source"] for row in read_table("texts", data / "texts" / "candidate.parquet")}
    problems = read_table("problems", data / "synthesis" / "candidates" / "problems.parquet")
    level_of = {row["problem_id"]: row["prompt"] for row in problems}
    values = read_table("values", data / "value" / "values")
    lengths = [row["num_tokens"] for row in values]
    bias = {
        f"{column}_to_length": round(float(spearmanr([row[column] for row in values], lengths).statistic), 4)
        for column in ("gradient_norm", "value")
    }
    places = [
        {"value": row["value"], "source": source_of[row["text_id"]], "level": level_of[row["problem_id"]], "num_tokens": row["num_tokens"]}
        for row in values
    ]  # fmt: skip
    figures = {
        "num_candidates": record["num_candidates"], "num_valued": record["num_valued"], "rejected": record["rejected"],
        "targets": {name: target["num_problems"] for name, target in record["targets"].items()}, "spearman": bias,
        "means": {kind: _group_means(places, kind) for kind in ("source", "level")}, "reliability": reliability(values),
    }  # fmt: skip
    return figures, places


def reliability(values: list[Row]) -> float:
    """The share of the variance of texts' mean values that is the texts', not the luck of the problems made of them.

    1 - (mean square within texts) / (mean square between them), of a one-way analysis of variance (Shrout and Fleiss
    1979, ICC(1, k)); 0 when a text says nothing of its problems' values.
    """
    by_text: dict[str, list[float]] = {}
    for row in values:
        by_text.setdefault(row["text_id"], []).append(row["value"])
    num_free = len(values) - len(by_text)
    if len(by_text) < 2 or num_free < 1:
        return 0.0
    grand = sum(row["value"] for row in values) / len(values)
    means = {text_id: sum(numbers) / len(numbers) for text_id, numbers in by_text.items()}
    between = sum(len(numbers) * (means[name] - grand) ** 2 for name, numbers in by_text.items()) / (len(by_text) - 1)
    within = sum((number - means[name]) ** 2 for name, numbers in by_text.items() for number in numbers) / num_free
    return round(max(0.0, 1 - within / between), 4) if between else 0.0


def _group_means(places: list[Row], kind: str) -> dict[str, dict[str, float]]:
    groups: dict[str, list[float]] = {}
    for place in places:
        groups.setdefault(place[kind], []).append(place["value"])
    return {
        name: {"mean_value": round(sum(values) / len(values), 4), "num_problems": len(values)}
        for name, values in sorted(groups.items())
    }


def valued_problems(data: Path, count: int) -> tuple[list[Row], list[Row]]:
    """The candidates of highest and of lowest value, with their problems."""
    values = sorted(read_table("values", data / "value" / "values"), key=lambda row: -row["value"])
    problem_of = {
        r["problem_id"]: r for r in read_table("problems", data / "synthesis" / "candidates" / "problems.parquet")
    }
    text_of = {row["text_id"]: row for row in read_table("texts", data / "texts" / "candidate.parquet")}
    rows = [{**row, "problem": problem_of[row["problem_id"]], "text": text_of[row["text_id"]]} for row in values]
    return rows[:count], rows[-count:][::-1]


def _counts(rejected: list[Row]) -> dict[str, int]:
    return dict(sorted(Counter(row["reason"] for row in rejected).items()))
