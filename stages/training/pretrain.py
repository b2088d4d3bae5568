"""Pre-train a student on the synthetic problems.

python -m stages.training.pretrain models/base/llama data/synthetic/kept.parquet models/pretrained/llama CURVE ...
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.tables import read_table
from stages.core.work import work_folder
from stages.training.formats import student_example
from stages.training.options import training_options
from stages.training.plan import TrainingPlan
from stages.training.run import train_and_save


@stage_command("pretrain")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("problems", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@training_options
def main(base: Path, problems: Path, out: Path, curve: Path, plan: TrainingPlan) -> None:
    """Train BASE on PROBLEMS and save it to OUT, its loss curve to CURVE."""
    rows = read_table("problems", problems / "problems.parquet")
    say(f"pretrain: {len(rows):,} synthetic problems, from {base}")
    examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in rows]
    work = work_folder(f"pretrain-{out.name}", [base, problems], vars(plan), [Path(__file__).parent])
    train_and_save(base, examples, plan, out, curve, f"pretrain {out.name}", work)


if __name__ == "__main__":
    main()
