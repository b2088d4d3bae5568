"""What changed between two evaluations: by task the paired difference, and each flip with what caused it.

compare_tasks(run_a, run_b) -> [TaskComparison("gsm8k", "cot", Paired(...), holm, causes, flips)]

A flip is an item whose verdict differs. Its cause: the student wrote something else (generation), its programs printed
something else (execution), another answer was taken from the same text (extraction), or the same answer was judged
otherwise (grading). Predictions of any number are compared in bounded memory; they stand in about the same order in both runs.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import xxhash

from stages.core.lookup import Lookup
from stages.core.schemas import Row
from stages.core.tables import collected, frames
from stages.grading.responses import FENCED
from stages.statistics.paired import Paired, holm, paired_by_problem

CAUSES = ("generation", "execution", "extraction", "grading")
OUTPUT = re.compile(r"```output\n.*?\n```", re.DOTALL)
TASK, ITEM = ("benchmark", "mode"), ("index", "sample")
SEEN = ("response", "extracted", "jiuzhang_extracted", "answer", "reason")


@dataclass(frozen=True)
class Run:
    """An evaluation: its name (a revision), results.json, and a query of its predictions."""

    name: str
    results: dict[str, Any]
    predictions: pl.LazyFrame
    losses: pl.DataFrame | None = None  # on reference solutions (stages/statistics/reference_loss.py); None: not read
    votes: pl.DataFrame | None = None  # the verdicts of majorities (stages/statistics/votes.py); None: nothing voted
    copy: TemporaryDirectory[str] | None = None  # of the predictions, where they are fetched; it goes with the run


@dataclass(frozen=True)
class Flip:
    benchmark: str
    mode: str
    index: int
    sample: int
    was_correct: bool
    cause: str
    rank: int  # a hash of the item: of more flips than are kept, these are the lowest
    a: Row
    b: Row


@dataclass(frozen=True)
class TaskComparison:
    benchmark: str
    mode: str
    numbers: Paired
    holm_p: float
    causes: dict[str, int]  # of all flips
    flips: list[Flip] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        flips = [
            {"index": f.index, "was_correct": f.was_correct, "cause": f.cause, "extracted": [f.a["extracted"], f.b["extracted"]],
             "answer": f.b["answer"], "reason": [f.a["reason"], f.b["reason"]]}
            for f in self.flips
        ]  # fmt: skip
        return {
            "benchmark": self.benchmark, "mode": self.mode, **vars(self.numbers), "holm_p": self.holm_p,
            "causes": self.causes, "flips": flips,
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


def compare_tasks(a: Run, b: Run, policy: str = "ours", max_flips: int | None = None) -> list[TaskComparison]:
    """The tasks of both runs, in the order of B; p-values are corrected over them together.

    All flips without their responses; with `max_flips` so many of lowest rank, over all tasks, with their responses.
    """
    column = "correct" if policy == "ours" else "jiuzhang_correct"
    counts: list[pl.DataFrame] = []
    flips, causes = _Flips(max_flips), Counter[tuple[str, str, str]]()
    before, after = pl.col(f"{column}_a"), pl.col(column)
    for frame in _paired_items(a, b, column):
        counts.append(
            frame.group_by(*TASK, ITEM[0], maintain_order=True).agg(
                both=(before & after).sum(), only_a=(before & ~after).sum(), only_b=(~before & after).sum(), neither=(~before & ~after).sum()
            )
        )  # fmt: skip
        for row in frame.filter(before != after).iter_rows(named=True):
            flip = flip_of({name: row[f"{name}_a"] for name in (*SEEN, column)}, row, column)
            causes[flip.benchmark, flip.mode, flip.cause] += 1
            flips.add(flip)
    if not counts:
        return []
    problems = pl.concat(counts).group_by(*TASK, ITEM[0], maintain_order=True).sum()
    tasks = problems.partition_by(TASK, maintain_order=True, as_dict=True)
    tested = [((str(task[0]), str(task[1])), paired_by_problem(own[:, 3:].to_numpy())) for task, own in tasks.items()]
    adjusted = holm([task.p_value for _, task in tested])
    return [
        TaskComparison(*task, pair, p, {cause: causes[*task, cause] for cause in CAUSES}, flips.of(*task))
        for (task, pair), p in zip(tested, adjusted, strict=True)
    ]


def _paired_items(a: Run, b: Run, column: str) -> Iterator[pl.DataFrame]:
    """The predictions of B on the items of both runs, each with A's in columns `response_a`, ..., in frames in order."""
    key = pl.concat_str([pl.col(name).cast(pl.String) for name in (*TASK, *ITEM)], separator="\x1f").alias("key")
    columns = (*SEEN, column)
    tasks = collected(a.predictions.group_by(TASK).len())
    known = Lookup(a.predictions.select(key, pl.col(columns).name.suffix("_a")), "key")
    for frame in frames(b.predictions.select(key, *TASK, *ITEM, *columns)):
        shared = frame.join(tasks, on=TASK, how="semi", maintain_order="left")
        if shared.height:
            yield known.join(shared).filter(pl.col(f"{column}_a").is_not_null())


class _Flips:
    """The flips of lowest rank, or all without their responses."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.kept: list[Flip] = []

    def add(self, flip: Flip) -> None:
        if self.most is None:
            del flip.a["response"], flip.b["response"]
        self.kept.append(flip)
        if self.most is not None and len(self.kept) > 2 * self.most:
            self._keep_lowest(self.most)

    def of(self, benchmark: str, mode: str) -> list[Flip]:
        if self.most is not None:
            self._keep_lowest(self.most)
        own = [flip for flip in self.kept if (flip.benchmark, flip.mode) == (benchmark, mode)]
        return sorted(own, key=lambda flip: (flip.index, flip.sample))

    def _keep_lowest(self, most: int) -> None:
        self.kept = sorted(self.kept, key=lambda flip: flip.rank)[:most]


def flip_of(a: Row, b: Row, column: str = "correct") -> Flip:
    rank = xxhash.xxh3_64_intdigest("\x1f".join(str(b[name]) for name in (*TASK, *ITEM)).encode())
    sides = [{name: row[name] for name in SEEN} for row in (a, b)]
    return Flip(
        b["benchmark"], b["mode"], b["index"], b["sample"], bool(a[column]), cause_of(a, b, column), rank, *sides
    )


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
