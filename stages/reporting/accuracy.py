"""The students' accuracies: with and without pre-training, paired by problem, with the flips between them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.files import write_csv
from stages.core.tables import scan_table
from stages.reporting.browsing import MAX_FLIPS
from stages.reporting.published import PUBLISHED
from stages.statistics.comparison import Run, TaskComparison, compare_tasks, obstacles

STARTS = ("pretrained", "base")
IN_METRICS = ("accuracy", "low_95", "high_95", "num_problems")


@dataclass(frozen=True)
class Standing:
    """A student's two evaluations: a is the control, b has been pre-trained."""

    student: str
    a: Run
    b: Run
    figures: dict[str, dict[str, Any]]  # start -> what evaluate wrote
    tasks: list[TaskComparison]

    @property
    def obstacles(self) -> dict[str, str]:
        return obstacles(self.a, self.b)

    def facts(self) -> list[tuple[str, Any, Any]]:
        """What each evaluation was made with: (name, of the control, of the pre-trained)."""
        configs = self.a.results["config"], self.b.results["config"]
        names = {
            "model": "model",
            "model_hash": "model's hash",
            "num_samples": "samples",
            "generation_kwargs": "generation",
            "sandbox": "sandbox",
        }
        rows = [(name, *(config[key] for config in configs)) for key, name in names.items()]
        rows.append(("grader", *(", ".join(sorted(set(run.results["versions"].values()))) for run in (self.a, self.b))))
        for task, hashes in self.b.results["task_hashes"].items():
            other = self.a.results["task_hashes"].get(task, {})
            rows.append((f"prompts of {task}", other.get("prompts", "")[:12], hashes["prompts"][:12]))
        return rows


def load_standing(reports: Path, data: Path, student: str) -> Standing:
    runs = {}
    for start in STARTS:
        folder = data / "predictions" / start / student
        runs[start] = Run(
            start,
            json.loads((folder / "results.json").read_text()),
            scan_table("predictions", folder / "predictions.parquet"),
        )
    figures = {start: json.loads((reports / "evaluation" / start / f"{student}.json").read_text()) for start in STARTS}
    tasks = compare_tasks(runs["base"], runs["pretrained"], max_flips=MAX_FLIPS)
    return Standing(student, runs["base"], runs["pretrained"], figures, tasks)


def accuracy_rows(standing: Standing, benchmarks: Iterable[str]) -> list[dict[str, Any]]:
    """One row for each benchmark and mode: the figures of both, the paired difference, and what was published."""
    compared = {(task.benchmark, task.mode): task for task in standing.tasks}
    rows = []
    for benchmark in benchmarks:
        for mode, figures in standing.figures["pretrained"].get(benchmark, {}).items():
            control = standing.figures["base"][benchmark][mode]
            task = compared.get((benchmark, mode))
            rows.append({
                "student": standing.student, "benchmark": benchmark, "mode": mode, "a": control, "b": figures,
                "difference": figures["accuracy"] - control["accuracy"], "holm_p": task.holm_p if task else None,
                "low": task.numbers.low_95 if task else None, "high": task.numbers.high_95 if task else None,
                "published": PUBLISHED.get((benchmark, mode)),
            })  # fmt: skip
    return rows


def suite_rows(standing: Standing) -> list[dict[str, Any]]:
    suites = standing.figures["base"]["suite"], standing.figures["pretrained"]["suite"]
    return [
        {"student": standing.student, "mode": mode, "a": suites[0][mode], "b": suites[1][mode]} for mode in suites[1]
    ]


def nest_accuracy(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """student -> start -> benchmark -> mode -> accuracy with its interval and count, and `gain_points` beside them."""
    nested: dict[str, Any] = {}
    for row in rows:
        student = nested.setdefault(row["student"], {"pretrained": {}, "base": {}, "gain_points": {}})
        for start, figures in (("pretrained", row["b"]), ("base", row["a"])):
            record = {key: figures[key] for key in IN_METRICS} | {"jiuzhang_accuracy": figures["jiuzhang"]["accuracy"]}
            student[start].setdefault(row["benchmark"], {})[row["mode"]] = record
        student["gain_points"].setdefault(row["benchmark"], {})[row["mode"]] = round(100 * row["difference"], 2)
    return nested


def write_accuracy(rows: list[dict[str, Any]], path: Path) -> None:
    """The accuracies as CSV for `dvc plots`: run, accuracy, low_95, high_95, num_problems."""
    lines = [
        [f"{row['student']} {start} {row['benchmark']} {row['mode']}", *(row[side][column] for column in IN_METRICS)]
        for row in rows
        for start, side in (("pretrained", "b"), ("base", "a"))
    ]
    write_csv([["run", *IN_METRICS], *lines], path)
