"""The prompts of an evaluation: the release's student template, its stop marks, and solved problems before the question.

    prompt_of(row, "cot", [])  -> "## Question\\nWhat is 2 + 2?\\nAnswer Choices: (A) 3 (B) 4\\n\\n## Solution\\n"

The release asks fine-tuned models without examples, but for AQuA, SAT-Math and MMLU-STEM, where it gives five
(sh/eval of its repository); base models always get five. Here `shots` says how many a benchmark gets, and of which target.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stages.core.command import StageError
from stages.core.named_tables import tables_named
from stages.core.tables import Row, read_table
from stages.evaluation.sections import Shots
from stages.problems.boxed_answers import boxes_in
from stages.problems.questions import posed
from stages.problems.student_format import COT, student_prompt

STOP = "## Question"


def load_shots(targets: Path, shots: Iterable[Shots]) -> dict[str, list[Row]]:
    """The solved problems for each benchmark: those of a target with the lowest hash, so that order says nothing."""
    return {wanted.benchmark: examples_of(targets, wanted) for wanted in shots}


def examples_of(targets: Path, wanted: Shots) -> list[Row]:
    table = tables_named(targets, [wanted.target])[wanted.target]
    rows = [row for row in read_table("benchmarks", table) if row["solution"]]
    if len(rows) < wanted.count:
        raise StageError(
            f"{table} has {len(rows)} solved problems, not the {wanted.count} that `shots` asks for {wanted.benchmark}. "
            "Lower the count, or name another target in params.yaml (evaluate: shots)."
        )
    return sorted(rows, key=lambda row: hashlib.sha256(row["problem"].encode()).hexdigest())[: wanted.count]


def prompt_of(row: Row, mode: str, examples: list[Row]) -> str:
    """The prompt of one problem; examples are in natural language, so the tool mode has none."""
    solved = (
        "".join(f"{student_prompt(posed(one), COT)}{_solution_of(one)}\n\n" for one in examples) if mode == COT else ""
    )
    return f"{solved}{student_prompt(posed(row), mode)}"


def _solution_of(row: Row) -> str:
    solution = row["solution"].strip()
    return solution if boxes_in(solution) else f"{solution}\nThe answer is \\boxed{{{row['answer']}}}."
