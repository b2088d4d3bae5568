"""Fine-tune a student on the teacher's problems and the training sets of the targets.

    python -m stages.training.finetune models/pretrained/llama data/distillation data/targets models/finetuned/llama CURVE --target grade ...

Run from `models/base/<student>` it makes the control: the same student without the synthetic pre-training.
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.tables import read_table, seed_of
from stages.core.work import work_folder
from stages.training.formats import student_example
from stages.training.options import training_options
from stages.training.plan import TrainingPlan
from stages.training.run import train_and_save
from stages.training.targets import target_example


@stage_command("finetune")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("distillation", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@click.option("--target", "target_names", multiple=True, required=True, help="A target whose problems are learnt too.")
@click.option("--max-taught", type=click.IntRange(min=0), required=True,
              help="Learn at most so many of the teacher's problems, by content hash; 0: all.")  # fmt: skip
@training_options
def main(
    base: Path, distillation: Path, targets: Path, out: Path, curve: Path,
    target_names: tuple[str, ...], max_taught: int, plan: TrainingPlan,
) -> None:  # fmt: skip
    """Train BASE on the problems under DISTILLATION and the named TARGETS; save it to OUT, its loss curve to CURVE."""
    taught = [row for path in sorted(distillation.rglob("problems.parquet")) for row in read_table("problems", path)]
    taught = sorted(taught, key=lambda row: seed_of(row["problem_id"]))[: max_taught or None]
    solved = [row for name in target_names for row in read_table("benchmarks", targets / f"{name}.parquet")]
    say(
        f"finetune: {len(taught):,} problems of the teacher, {len(solved):,} of {len(target_names)} targets, from {base}"
    )
    examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in taught]
    examples += [target_example(row) for row in solved]
    name = f"{base.parent.name}-{out.name}"
    work = work_folder(
        f"finetune-{name}",
        [base, distillation, targets],
        {**vars(plan), "max_taught": max_taught},
        [Path(__file__).parent],
    )
    train_and_save(base, examples, plan, out, curve, f"finetune {name}", work)


if __name__ == "__main__":
    main()
