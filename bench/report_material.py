"""What `report` reads beside the large tables, small and of a fixed size: counts, benchmarks, predictions, curves, figures.

write_reports(Path("/tmp/million"), 1_000_000)     # tables are bench/table_material.py's
"""

from pathlib import Path
from typing import Any

from stages.core.files import write_csv, write_json, write_text
from stages.core.named_tables import write_names
from stages.core.schemas import SCHEMAS
from stages.core.table_writer import TableWriter, write_table
from stages.reporting.curves import COMMON

STUDENT, BENCHMARK, MODES = "llama", "grade", ("cot", "tool")
STRATEGIES = ("value", "random")
NUM_PROBLEMS = 300  # of the benchmark
ACCURACY = {"accuracy": 0.5, "low_95": 0.44, "high_95": 0.56, "num_problems": NUM_PROBLEMS}
SHARE = {"on_topic_frac": 0.5, "low_95": 0.4, "high_95": 0.6, "num_texts": 100}


def write_reports(folder: Path, num_rows: int) -> None:
    """FOLDER/data and FOLDER/reports of a run of so many problems, but for the large tables."""
    data, reports = folder / "data", folder / "reports"
    _write_counts(data, num_rows)
    _write_benchmark(data)
    for start in ("base", "pretrained", "untrained"):
        _write_evaluation(data, reports, start)
    _write_figures(reports, num_rows)
    own = (f"{stage}-{STUDENT}" for stage in ("pretrain", "finetune-pretrained", "finetune-base"))
    for run in (*COMMON, *own):
        lines = [f"{step}\t{8 / step:.5f}" for step in range(1, 101)]
        write_text("\n".join(["step\tloss", *lines]) + "\n", reports / "curves" / run / "plots/metrics/loss.tsv")


def _write_counts(data: Path, num_rows: int) -> None:
    counts = {"documents": {"read": num_rows, "cut": num_rows, "rejected": {}}}
    snippets = {"cut": num_rows, "kept": num_rows, "not_chosen": 0, "rejected": {"language": 9}}
    write_json(counts | {"snippets": snippets}, data / "corpus/web/counts.json")
    write_names(["web"], data / "corpus")
    curated = {"web": {"kept": num_rows, "read": num_rows, "rejected": {"duplicate": 9}}}
    write_json({"contaminated_by": {}, "sources": curated}, data / "curated/counts.json")
    for name in ("initial", "boost"):
        write_json({}, data / "problems" / name / "repairs.json")
    write_json({}, data / f"fingerprints/students/{STUDENT}.json")
    write_json({"profile": "laptop", "num_changed": 0, "changed": [], "seeds": [1]}, data / "code/profile.json")


def _write_benchmark(data: Path) -> None:
    rows = [
        {"benchmark": BENCHMARK, "index": i, "problem": f"What is {i} plus {i + 7}?", "options": [], "solution": "",
         "answer": str(2 * i + 7), "kind": "number", "subject": "", "level": ""}
        for i in range(NUM_PROBLEMS)
    ]  # fmt: skip
    write_table("benchmarks", rows, data / f"benchmarks/{BENCHMARK}.parquet")
    leak = {"reason": "contaminated", "detail": "the 13-gram", "leaked_benchmark": BENCHMARK}
    leaks = [row | leak | {"leaked_index": row["index"]} for row in rows[:100]]
    with TableWriter("leaked", data / f"leaks/{BENCHMARK}.parquet") as writer:
        writer.write_rows(leaks)
    write_names([BENCHMARK], data / "benchmarks")
    write_names([BENCHMARK], data / "leaks")


def _write_evaluation(data: Path, reports: Path, start: str) -> None:
    remainder = 2 if start == "pretrained" else 3
    folder = data / "predictions" / start / STUDENT
    rows = [_prediction(index, mode, index % remainder == 0) for mode in MODES for index in range(NUM_PROBLEMS)]
    write_table("predictions", rows, folder / "predictions.parquet")
    tasks = [f"{BENCHMARK}_{mode}" for mode in MODES]
    config = {
        "model": "models/finetuned",
        "model_hash": start,
        "num_samples": 1,
        "sandbox": "",
        "generation_kwargs": {},
        "model_num_parameters": 913_152,
        "trained": [{"training": f"pretrain {STUDENT}", "num_examples": 3000, "num_tokens": 1_500_000}],
    }
    record = {
        "results": {key: {"alias": ""} for key in tasks}, "config": config, "versions": dict.fromkeys(tasks, "1"),
        "task_hashes": {key: {"items": "i", "prompts": "p"} for key in tasks},
    }  # fmt: skip
    write_json(record, folder / "results.json")
    counts = ("num_answered", "num_truncated", "num_fallback", "num_timeouts", "tokens")
    figures = ACCURACY | {"jiuzhang": ACCURACY, "num_responses": NUM_PROBLEMS} | dict.fromkeys(counts, 3)
    suite = dict.fromkeys(MODES, ACCURACY | {"jiuzhang_average": 50.0})
    tasks_of = {BENCHMARK: dict.fromkeys(MODES, figures), "suite": suite}
    write_json(tasks_of, reports / "evaluation" / start / f"{STUDENT}.json")


def _prediction(index: int, mode: str, correct: bool) -> dict[str, Any]:
    answer = str(2 * index + 7 if correct else index)
    known = {
        "benchmark": BENCHMARK, "index": index, "mode": mode, "sample": 0, "kind": "number", "extracted": answer,
        "response": f"It is {answer}.\nThe answer is \\boxed{{{answer}}}.", "answer": str(2 * index + 7), "correct": correct,
        "reason": "boxed/number", "flags": [], "jiuzhang_extracted": answer, "jiuzhang_correct": correct,
        "finish_reason": "stop", "executions": [], "turns": 0, "tokens": 20, "is_flagged": False, "reference_loss": None, "reference_tokens": None,
    }  # fmt: skip
    return {name: known[name] for name in SCHEMAS["predictions"].names}


def _write_figures(reports: Path, num_rows: int) -> None:
    group = {"num_made": num_rows, "num_kept": num_rows * 7 // 10, "kept_frac": 0.7, "rejected": {"equation": 1}}
    grouped = {"by_source": {"web": group}, "by_prompt": {"grade": group}, "by_mode": {"cot": group}}
    write_json(group | grouped, reports / "filter.json")
    write_csv([["step", "num_problems"], ["made", num_rows], ["kept", num_rows * 7 // 10]], reports / "funnel.csv")
    selection = {
        "all": SHARE, "selected": SHARE, "not_selected": SHARE, "chance_by_random": 0.5, "on_topic": "words", "num_without_topic": 9,
        "strategies": dict.fromkeys(STRATEGIES, SHARE),
        "overlap": {a: {b: float(a == b) for b in STRATEGIES} for a in STRATEGIES},
    }  # fmt: skip
    write_json(selection, reports / "selection.json")
    targets = {name: {"num_problems": 200, "num_too_long": 0, "sha256": ""} for name in ("grade", "secondary")}
    record = {"num_candidates": num_rows, "num_valued": num_rows, "rejected": {}, "targets": targets}
    write_json(record | {"aggregate": "max", "header": {}}, reports / "values.json")
    write_csv([["value", "num_problems"], *([f"{i / 100:.4f}", i] for i in range(-30, 50))], reports / "values.csv")
