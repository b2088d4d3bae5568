"""Teach a small model to write problems from texts, on what the teacher wrote in one round or in both.

python -m stages.training.train_synthesizer models/base/synthesizer data/distillation/initial data/texts/initial.parquet models/synthesizer/initial ...
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import Row, read_table
from stages.core.work import work_folder
from stages.training.formats import Example, synthesizer_output, synthesizer_prompt
from stages.training.options import training_options
from stages.training.plan import TrainingPlan
from stages.training.run import train_and_save


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
    problems = [row for path in sorted(distillation.rglob("problems.parquet")) for row in read_table("problems", path)]
    if not problems:
        raise StageError(f"no problems under {distillation}. See its rejected.parquet for the reasons.")
    text_of = {row["text_id"]: row["text"] for path in _tables(texts) for row in read_table("texts", path)}
    say(
        f"train_synthesizer: {len(problems):,} problems of {len({p['text_id'] for p in problems}):,} texts, from {base}"
    )
    examples = [synthesizer_example(row, text_of) for row in problems]
    work = work_folder(f"train_synthesizer-{out.name}", [base, distillation], vars(plan), [Path(__file__).parent])
    train_and_save(base, examples, plan, out, curve, f"train_synthesizer {out.name}", work)


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
