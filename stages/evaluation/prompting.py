"""The prompts of an evaluation: the release's student template, its stop marks, and solved problems before the question.

    prompt_of(row, "cot", [])  -> "## Question\\nWhat is 2 + 2?\\nAnswer Choices: (A) 3 (B) 4\\n\\n## Solution\\n"

The release asks fine-tuned models without examples, but for AQuA, SAT-Math and MMLU-STEM, where it gives five
[R:sh/eval]; base models always get five. Here `shots` says how many a benchmark gets, and of which target.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import click

from stages.benchmarks.questions import posed
from stages.core.command import StageError
from stages.core.tables import Row, read_table
from stages.distillation.parsing import boxed_answers
from stages.training.formats import COT, student_prompt

STOP = "## Question"


@dataclass(frozen=True)
class Shots:
    """`count` solved problems of the table data/targets/<target>.parquet stand before a benchmark's questions."""

    target: str
    count: int


def parse_shots(_: click.Context, option: click.Option, values: tuple[str, ...]) -> dict[str, Shots]:
    """`aqua=mathqa:5` as {"aqua": Shots("mathqa", 5)}."""
    found = {}
    for value in values:
        benchmark, is_sign, rest = value.partition("=")
        target, is_colon, count = rest.rpartition(":")
        if not (benchmark and is_sign and target and is_colon and count.isdigit()):
            raise click.BadParameter(
                f"{value!r} is not of the form benchmark=target:count, such as aqua=mathqa:5", param=option
            )
        found[benchmark] = Shots(target, int(count))
    return found


def load_shots(targets: Path, shots: dict[str, Shots]) -> dict[str, list[Row]]:
    """The solved problems for each benchmark: those of a target with the lowest hash, so that order says nothing."""
    examples = {}
    for benchmark, wanted in shots.items():
        rows = [row for row in read_table("benchmarks", targets / f"{wanted.target}.parquet") if row["solution"]]
        if len(rows) < wanted.count:
            raise StageError(
                f"{targets / wanted.target}.parquet has {len(rows)} solved problems, not the {wanted.count} that `shots` "
                f"asks for {benchmark}. Lower the count, or name another target in params.yaml (evaluate: shots)."
            )
        examples[benchmark] = sorted(rows, key=lambda row: hashlib.sha256(row["problem"].encode()).hexdigest())[
            : wanted.count
        ]
    return examples


def prompt_of(row: Row, mode: str, examples: list[Row]) -> str:
    """The prompt of one problem; examples are in natural language, so the tool mode has none."""
    solved = (
        "".join(f"{student_prompt(posed(one), COT)}{_solution_of(one)}\n\n" for one in examples) if mode == COT else ""
    )
    return f"{solved}{student_prompt(posed(row), mode)}"


def _solution_of(row: Row) -> str:
    solution = row["solution"].strip()
    return solution if boxed_answers(solution) else f"{solution}\nThe answer is \\boxed{{{row['answer']}}}."
