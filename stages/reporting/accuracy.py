"""The students' accuracies: with and without pre-training, paired by problem, with the flips between them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.core.files import write_csv
from stages.reporting.browsing import MAX_FLIPS
from stages.reporting.published import accuracies
from stages.statistics.comparison import Run, TaskComparison, compare_tasks, obstacles
from stages.statistics.evaluations import read_run
from stages.statistics.paired import Paired

STARTS = ("pretrained", "base", "untrained")
IN_METRICS = ("accuracy", "low_95", "high_95", "num_problems")


@dataclass(frozen=True)
class Standing:
    """A student's evaluations: a is the control, b has been pre-trained; beside them the base model as it is."""

    student: str
    a: Run
    b: Run
    figures: dict[str, dict[str, Any]]  # start -> what evaluate wrote
    tasks: list[TaskComparison]
    untrained: Run | None = None  # None where its weights are random
    gains: list[TaskComparison] = field(default_factory=list)  # b against the untrained model, without flips

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
            "majority": "samples that vote",
            "generation_kwargs": "generation",
            "sandbox": "sandbox",
        }
        rows = [(name, *(config.get(key, "") for config in configs)) for key, name in names.items()]
        rows.append(("grader", *(", ".join(sorted(set(run.results["versions"].values()))) for run in (self.a, self.b))))
        for task, hashes in self.b.results["task_hashes"].items():
            other = self.a.results["task_hashes"].get(task, {})
            rows.append((f"prompts of {task}", other.get("prompts", "")[:12], hashes["prompts"][:12]))
        return rows


def load_standing(reports: Path, data: Path, student: str) -> Standing:
    runs = {start: read_run(start, data / "predictions" / start / student) for start in STARTS}
    figures = {start: json.loads((reports / "evaluation" / start / f"{student}.json").read_text()) for start in STARTS}
    tasks = compare_tasks(runs["base"], runs["pretrained"], max_flips=MAX_FLIPS)
    untrained = runs["untrained"] if runs["untrained"].results["results"] else None
    gains = compare_tasks(untrained, runs["pretrained"], max_flips=0) if untrained else []
    return Standing(student, runs["base"], runs["pretrained"], figures, tasks, untrained, gains)


def accuracy_rows(standing: Standing, benchmarks: Iterable[str]) -> list[dict[str, Any]]:
    """One row for each benchmark and mode: the figures of all, the paired differences, and what was published."""
    compared = {(task.benchmark, task.mode): task for task in standing.tasks}
    gained = {(task.benchmark, task.mode): task.numbers for task in standing.gains}
    rows, known = [], accuracies()
    for benchmark in benchmarks:
        for mode, figures in standing.figures["pretrained"].get(benchmark, {}).items():
            control = standing.figures["base"][benchmark][mode]
            task = compared.get((benchmark, mode))
            rows.append({
                "student": standing.student, "benchmark": benchmark, "mode": mode, "a": control, "b": figures,
                "untrained": standing.figures["untrained"].get(benchmark, {}).get(mode), "gain": gained.get((benchmark, mode)),
                "difference": figures["accuracy"] - control["accuracy"], "holm_p": task.holm_p if task else None,
                "low": task.numbers.low_95 if task else None, "high": task.numbers.high_95 if task else None,
                "published": known.get((benchmark, mode)),
            })  # fmt: skip
    return rows


def suite_rows(standing: Standing) -> list[dict[str, Any]]:
    suites = {start: figures["suite"] for start, figures in standing.figures.items()}
    return [
        {
            "student": standing.student, "mode": mode, "a": suites["base"][mode], "b": suites["pretrained"][mode],
            "untrained": suites["untrained"].get(mode) or None,
        }
        for mode in suites["pretrained"]
    ]  # fmt: skip


def points_of(numbers: Paired) -> dict[str, float]:
    """A paired difference with its interval, in percentage points."""
    bounds = {"points": numbers.difference, "low_95": numbers.low_95, "high_95": numbers.high_95}
    return {name: round(100 * number, 2) for name, number in bounds.items()}


def sides_of(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """start -> the figures of a row; without the untrained model where it has none."""
    sides = {"pretrained": row["b"], "base": row["a"], "untrained": row.get("untrained")}
    return {start: figures for start, figures in sides.items() if figures}


def nest_accuracy(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """student -> start -> benchmark -> mode -> accuracy with its interval and count, and `gain_points` beside them.

    `gain_points` are over the control; `gain_over_untrained` has their interval, too.
    """
    nested: dict[str, Any] = {}
    for row in rows:
        student = nested.setdefault(row["student"], {"pretrained": {}, "base": {}, "gain_points": {}})
        for start, figures in sides_of(row).items():
            record = {key: figures[key] for key in IN_METRICS} | {"jiuzhang_accuracy": figures["jiuzhang"]["accuracy"]}
            student.setdefault(start, {}).setdefault(row["benchmark"], {})[row["mode"]] = record
        if gain := row.get("gain"):
            student.setdefault("gain_over_untrained", {}).setdefault(row["benchmark"], {})[row["mode"]] = points_of(
                gain
            )
        student["gain_points"].setdefault(row["benchmark"], {})[row["mode"]] = round(100 * row["difference"], 2)
    return nested


def write_accuracy(rows: list[dict[str, Any]], path: Path) -> None:
    """The accuracies as CSV for `dvc plots`: task ("grade cot"), model ("llama, pretrained") and the columns of IN_METRICS."""
    lines = [
        [f"{row['benchmark']} {row['mode']}", f"{row['student']}, {start}", *(figures[column] for column in IN_METRICS)]
        for row in rows
        for start, figures in sides_of(row).items()
    ]
    write_csv([["task", "model", *IN_METRICS], *lines], path)
