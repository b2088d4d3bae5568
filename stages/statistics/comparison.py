"""What changed between two evaluations: by task the paired difference, and each flip with what caused it.

compare_tasks(run_a, run_b) -> [TaskComparison("gsm8k", "cot", Paired(...), holm, flips)]

A flip is an item whose verdict differs. Its cause: the student wrote something else (generation), its programs printed
something else (execution), another answer was taken from the same text (extraction), or the same answer was judged
otherwise (grading).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stages.core.tables import Row
from stages.grading.responses import FENCED
from stages.statistics.paired import Paired, holm, paired

CAUSES = ("generation", "execution", "extraction", "grading")
OUTPUT = re.compile(r"```output\n.*?\n```", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """An evaluation: its name (a revision), results.json, and its predictions."""

    name: str
    results: dict[str, Any]
    predictions: list[Row]


@dataclass(frozen=True)
class Flip:
    benchmark: str
    mode: str
    index: int
    was_correct: bool
    cause: str
    a: Row
    b: Row


@dataclass(frozen=True)
class TaskComparison:
    benchmark: str
    mode: str
    numbers: Paired
    holm_p: float
    flips: list[Flip] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        causes = Counter(flip.cause for flip in self.flips)
        flips = [
            {"index": f.index, "was_correct": f.was_correct, "cause": f.cause, "extracted": [f.a["extracted"], f.b["extracted"]],
             "answer": f.b["answer"], "reason": [f.a["reason"], f.b["reason"]]}
            for f in self.flips
        ]  # fmt: skip
        return {
            "benchmark": self.benchmark, "mode": self.mode, **vars(self.numbers), "holm_p": self.holm_p,
            "causes": {cause: causes[cause] for cause in CAUSES}, "flips": flips,
        }  # fmt: skip


def obstacles(a: Run, b: Run) -> dict[str, str]:
    """By task of both runs: why its two accuracies do not compare; empty where they do."""
    found = {}
    for task in a.results["results"].keys() & b.results["results"].keys():
        differing = [
            part
            for part in ("prompts", "items")
            if a.results["task_hashes"][task][part] != b.results["task_hashes"][task][part]
        ]
        if a.results["versions"][task] != b.results["versions"][task]:
            differing.append(f"grader ({a.results['versions'][task]} and {b.results['versions'][task]})")
        if a.results["config"]["num_samples"] != b.results["config"]["num_samples"]:
            differing.append("number of samples")
        if differing:
            found[task] = ", ".join(differing)
    return dict(sorted(found.items()))


def compare_tasks(a: Run, b: Run, policy: str = "ours") -> list[TaskComparison]:
    """The tasks of both runs, in the order of B; p-values are corrected over them together."""
    column = "correct" if policy == "ours" else "jiuzhang_correct"
    tables = {run.name: _by_task(run.predictions) for run in (a, b)}
    raw: list[tuple[tuple[str, str], Paired, list[Flip]]] = []
    for key, rows_b in _by_task(b.predictions).items():
        rows_a = tables[a.name].get(key) if a is not b else rows_b
        if not rows_a:
            continue
        shared = sorted(rows_a.keys() & rows_b.keys())
        pairs = [(rows_a[item], rows_b[item]) for item in shared]
        flips = [flip_of(x, y, column) for x, y in pairs if x[column] != y[column]]
        raw.append((key, paired([x[column] for x, _ in pairs], [y[column] for _, y in pairs]), flips))
    adjusted = holm([numbers.p_value for _, numbers, _ in raw])
    return [TaskComparison(*key, numbers, p, flips) for (key, numbers, flips), p in zip(raw, adjusted, strict=True)]


def flip_of(a: Row, b: Row, column: str = "correct") -> Flip:
    return Flip(b["benchmark"], b["mode"], b["index"], bool(a[column]), cause_of(a, b, column), a, b)


def cause_of(a: Row, b: Row, column: str = "correct") -> str:
    """What made two verdicts on an item differ, the earliest difference first."""
    if OUTPUT.sub("", a["response"]) != OUTPUT.sub("", b["response"]):
        return "execution" if _first_difference_follows_output(a["response"], b["response"]) else "generation"
    extracted = "extracted" if column == "correct" else "jiuzhang_extracted"
    if a[extracted] != b[extracted]:
        return "extraction"
    return "grading" if a["response"] == b["response"] else "execution"


def _first_difference_follows_output(a: str, b: str) -> bool:
    """Whether the transcripts first part inside what a program printed."""
    place = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return any(
        block[1].strip() == "output" and block.start() <= place < block.end()
        for text in (a, b)
        for block in FENCED.finditer(text)
    )


def _by_task(predictions: list[Row]) -> dict[tuple[str, str], dict[tuple[int, int], Row]]:
    tasks: dict[tuple[str, str], dict[tuple[int, int], Row]] = {}
    for row in predictions:
        tasks.setdefault((row["benchmark"], row["mode"]), {})[row["index"], row["sample"]] = row
    return tasks
