"""The results of an evaluation as one JSON file, in the shape of lm-eval's, and the hashes that say what is comparable.

Two accuracies of a task compare when its prompts, its items and the grader are the same: `task_hashes` holds the first
two, `versions` the third.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from stages.core.hashes import file_hash
from stages.core.tables import Row
from stages.evaluation.sections import EvaluationSettings, parse_shots
from stages.grading.policies import VERSION


def hash_of(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def task_name(benchmark: str, mode: str) -> str:
    return f"{benchmark}_{mode}"


def task_hashes(rows: list[Row], prompts: list[str]) -> dict[str, str]:
    """The hashes of a task's items (question, options, reference, kind) and of its prompts, in order."""
    items = [
        json.dumps([row["index"], row["problem"], row["options"], row["answer"], row["kind"]], ensure_ascii=False)
        for row in rows
    ]
    return {"items": hash_of(items), "prompts": hash_of(prompts)}


def config_record(model: Path, settings: EvaluationSettings, sandbox: str) -> dict[str, Any]:
    """What an evaluation was made with."""
    generation = {
        "max_gen_toks": settings.max_tokens, "temperature": settings.temperature, "top_p": settings.top_p,
        "do_sample": settings.temperature > 0,
    }  # fmt: skip
    votes = {"num_samples": settings.majority_samples, "temperature": settings.majority_temperature}
    return {
        "model": str(model), "model_hash": file_hash(model), "num_samples": settings.num_samples,
        "majority": votes if settings.majority_samples else {}, "reference_loss": settings.reference_loss,
        "num_fewshot": {task_name(one.benchmark, "cot"): one.count for one in map(parse_shots, settings.shots)},
        "sandbox": sandbox, "generation_kwargs": generation,
    }  # fmt: skip


def results_record(
    figures: dict[str, dict[str, Any]], hashes: dict[str, dict[str, str]], config: dict[str, Any]
) -> dict[str, Any]:
    """`figures` and `hashes` by task (standard errors: stages/statistics/intervals.py); `config`: see `config_record`."""
    shots = config["num_fewshot"]
    results = {
        task: {
            "alias": task,
            "exact_match,ours": figure["accuracy"], "exact_match_stderr,ours": figure["stderr"],
            "exact_match,jiuzhang": figure["jiuzhang"]["accuracy"], "exact_match_stderr,jiuzhang": figure["jiuzhang"]["stderr"],
        }
        for task, figure in figures.items()
    }  # fmt: skip
    return {
        "results": results,
        "configs": {task: {"task": task, "num_fewshot": shots.get(task, 0), "repeats": config["num_samples"], "generation_kwargs": config["generation_kwargs"]} for task in figures},
        "versions": dict.fromkeys(figures, VERSION),
        "n-shot": {task: shots.get(task, 0) for task in figures},
        "higher_is_better": {task: {"exact_match": True} for task in figures},
        "n-samples": {task: {"original": figure["num_problems"], "effective": figure["num_problems"]} for task, figure in figures.items()},
        "config": {key: value for key, value in config.items() if key != "num_fewshot"},
        "task_hashes": hashes,
    }  # fmt: skip
