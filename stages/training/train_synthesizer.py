"""Teach a small model to write problems from texts, on what the teacher wrote in one round or in both.

python -m stages.training.train_synthesizer models/base/synthesizer data/distillation/initial data/texts/initial.parquet models/synthesizer/initial ...
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import Row, count_rows, read_batches, read_table
from stages.training.formats import Example, synthesizer_output, synthesizer_prompt
from stages.training.options import training_options
from stages.training.plan import TrainingPlan
from stages.training.run import train


@stage_command("train_synthesizer")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("distillation", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@training_options
def main(base: Path, distillation: Path, texts: Path, out: Path, curve: Path, plan: TrainingPlan) -> None:
    """Train BASE on every problems.parquet under DISTILLATION and save it to OUT, its loss curve to CURVE.

    TEXTS is a table of texts, or a folder of such tables, in which the problems' texts are found.
    """
    tables = sorted(distillation.rglob("problems.parquet"))
    num_problems = sum(map(count_rows, tables))
    if not num_problems:
        raise StageError(f"no problems under {distillation}. See its rejected.parquet for the reasons.")
    text_of = {row["text_id"]: row["text"] for path in _tables(texts) for row in read_table("texts", path)}
    say(f"train_synthesizer: {num_problems:,} problems, from {base}")
    examples = (
        synthesizer_example(row, text_of)
        for table in tables
        for batch in read_batches("problems", table)
        for row in batch.to_pylist()
    )
    train(f"train_synthesizer {out.name}", [base, distillation], examples, plan, out, curve)


def synthesizer_example(problem: Row, text_of: dict[str, str]) -> Example:
    """One training record: level, mode and text in, the problem as the teacher wrote it out."""
    if problem["text_id"] not in text_of:
        raise StageError(
            f"problem {problem['problem_id']}: its text {problem['text_id']} is in none of the tables of texts."
        )
    prompt = synthesizer_prompt(problem["prompt"], problem["mode"], text_of[problem["text_id"]])
    return Example(prompt, synthesizer_output(problem["problem"], problem["solution"]))


def _tables(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


if __name__ == "__main__":
    main()
