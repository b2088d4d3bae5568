"""What a run of the pipeline was given and what came of it, read in its workspace: numbers for the budgets of a study.

budget_of(folder, "pretrained", "llama") -> {"boost_requests": 3920, ..., "pretrain_examples": 3177, "pretrain_tokens": 1910952, ...}
outcome_of(folder, "pretrained")         -> {"kept_problems": 3177, "kept_frac": 0.697, "value_reliability": 0.64}
usage_in(folder)                         -> {"train models/pretrained/llama": {"seconds": 340.2, "device": "cpu", ...}}
"""

import json
from pathlib import Path
from typing import Any

import polars as pl

from stages.core.tables import collected, count_rows, scan_table
from stages.core.usage import read_usage
from stages.reporting.value_figures import reliability

ROUNDS = ("initial", "boost")
SYNTHESIS = ("candidates", "corpus")
TRAINED = {
    "initial_synthesizer": "models/synthesizer/initial", "synthesizer": "models/synthesizer/boosted",
    "pretrain": "models/pretrained/{student}", "finetune": "models/finetuned/{start}/{student}",
}  # fmt: skip
LEARNT = {"pretrained": tuple(TRAINED), "base": ("finetune",), "untrained": ()}  # by start
COUNTED = ("examples", "tokens", "steps")  # of each training


def budget_of(folder: Path, start: str, student: str) -> dict[str, float]:
    """Calls, tokens and USD of the teacher, outputs of the synthesizer, problems, tokens and steps of each training.

    Every start has every name: what a run does without costs it 0.
    """
    budget: dict[str, float] = {}
    for name in ROUNDS:
        budget |= _teaching(name, folder / f"data/distillation/{name}/completions.parquet")
    for name in SYNTHESIS:
        tables = [folder / f"data/synthesis/{name}/{part}.parquet" for part in ("problems", "rejected")]
        budget[f"{name}_outputs"] = sum(count_rows(table) for table in tables) if _is_used(name, start, tables) else 0
    for name, place in TRAINED.items():
        path = folder / place.format(start=start, student=student) / "provenance.json"
        record = json.loads(path.read_bytes()) if name in LEARNT[start] else {}
        budget |= {f"{name}_{count}": record.get(f"num_{count}", 0) for count in COUNTED}
    return budget


def _is_used(synthesis: str, start: str, tables: list[Path]) -> bool:
    return start == "pretrained" and all(table.exists() for table in tables)


def _teaching(name: str, completions: Path) -> dict[str, float]:
    sums = dict.fromkeys(("len", "prompt_tokens", "completion_tokens", "cached_tokens", "usd"), 0)
    if completions.exists():
        columns = ("prompt_tokens", "completion_tokens", "cached_tokens", "usd")
        sums = collected(scan_table("completions", completions).select(pl.len(), pl.sum(*columns))).row(0, named=True)
    return {
        f"{name}_requests": sums["len"], f"{name}_tokens_in": sums["prompt_tokens"],
        f"{name}_tokens_cached": sums["cached_tokens"], f"{name}_tokens_out": sums["completion_tokens"],
        f"{name}_usd": round(sums["usd"], 6),
    }  # fmt: skip


def outcome_of(folder: Path, start: str) -> dict[str, float]:
    """Problems of the teacher's two rounds; synthetic problems that the filter kept, and their share; the reliability of value."""
    tables = {f"{name}_problems": folder / f"data/problems/{name}/problems.parquet" for name in ROUNDS}
    found: dict[str, float] = {name: count_rows(path) for name, path in tables.items() if path.exists()}
    kept, rejected = (folder / f"data/synthetic/{name}.parquet" for name in ("problems", "rejected"))
    if start == "pretrained" and kept.exists():
        found["kept_problems"] = count_rows(kept)
        found["kept_frac"] = round(found["kept_problems"] / max(1, found["kept_problems"] + count_rows(rejected)), 4)
    if values := sorted((folder / "data/value/values").glob("*.parquet")):
        num_rows = sum(count_rows(path) for path in values)
        found["value_reliability"] = reliability(scan_table("values", *values), num_rows)
    return found


def usage_in(folder: Path) -> dict[str, Any]:
    """The usage records (stages/core/usage.py) of the stages that ran in the workspace, by stage and subject; cached stages have none.

    Points are in Git, and published with it: what the machine is called is left out.
    """
    return {
        f"{record['stage']} {record['subject']}": {name: told for name, told in record.items() if name != "machine"}
        for record in read_usage(folder)
    }
