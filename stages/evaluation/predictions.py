"""The graded predictions of a student on a benchmark in one mode, and what an evaluation must know of its inputs."""

from pathlib import Path

from stages.core.named_tables import tables_named
from stages.core.parallel import ordered_map
from stages.core.shards import Steps
from stages.core.tables import Row, read_table, seed_of
from stages.evaluation.solving import Response, solve
from stages.generation.interface import Prompt, Sampling
from stages.grading.policies import grade

BATCH = 64


def predictions_of(
    model: Path, rows: list[Row], prompts: list[str], mode: str, sampling: Sampling, num_samples: int,
    flagged: set[tuple[str, int]], seed: str = "",
) -> Steps[list[Row]]:  # fmt: skip
    """The graded predictions of a task: all samples of a problem one after the other; yields while programs run.

    `seed` tells apart the samples that are drawn for different tables.
    """
    asked = [(row, prompt, sample) for row, prompt in zip(rows, prompts, strict=True) for sample in range(num_samples)]
    more = [seed] if seed else []
    seeds = [
        seed_of("evaluate", row["benchmark"], str(row["index"]), mode, str(sample), *more) for row, _, sample in asked
    ]
    responses = yield from solve(
        model, [Prompt(prompt, seed) for (_, prompt, _), seed in zip(asked, seeds, strict=True)], mode, sampling
    )
    jobs = [
        (row, mode, sample, response, (row["benchmark"], row["index"]) in flagged)
        for (row, _, sample), response in zip(asked, responses, strict=True)
    ]
    batches = [jobs[start : start + BATCH] for start in range(0, len(jobs), BATCH)]
    return [row for batch in ordered_map(_grade_batch, batches) for row in batch]


def _grade_batch(jobs: list[tuple[Row, str, int, Response, bool]]) -> list[Row]:
    return [prediction_of(*job) for job in jobs]


def prediction_of(row: Row, mode: str, sample: int, response: Response, is_flagged: bool) -> Row:
    """The prediction of one response under both policies, with the rules that decided."""
    is_cut = response.finish_reason == "length"
    verdicts = grade(
        gold=row["answer"], kind=row["kind"], response=response.answering, options=row["options"],
        dataset=row["benchmark"], is_truncated=is_cut,
    )  # fmt: skip
    ours, jiuzhang = verdicts["ours"], verdicts["jiuzhang"]
    told = {"unsafe_execution": not response.is_isolated, "only_thought": response.is_thought}
    flags = [*ours.flags, *(flag for flag, holds in told.items() if holds)]
    return {
        "benchmark": row["benchmark"], "index": row["index"], "mode": mode, "sample": sample, "kind": row["kind"],
        "response": response.text, "extracted": ours.extracted, "answer": row["answer"], "correct": ours.correct,
        "reason": ours.rule, "flags": flags, "jiuzhang_extracted": jiuzhang.extracted,
        "jiuzhang_correct": jiuzhang.correct, "finish_reason": response.finish_reason,
        "executions": list(response.executions), "turns": len(response.executions), "tokens": response.tokens,
        "is_flagged": is_flagged, "reference_loss": None, "reference_tokens": None,
    }  # fmt: skip


def flagged_items(leaks: Path) -> set[tuple[str, int]]:
    """The benchmark problems that a problem of a target touched."""
    rows = (row for path in tables_named(leaks, ()).values() for row in read_table("leaked", path))
    return {(row["leaked_benchmark"], row["leaked_index"]) for row in rows}
