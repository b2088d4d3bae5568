"""Train a small model to write problems from texts, on the teacher's problems of one round or of both.

python -m stages.training.train_synthesizer models/base/synthesizer models/synthesizer/initial CURVE
    --problems data/problems/initial --texts data/texts/initial.parquet ...
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.training.sections import TrainingPlan


@stage_command("train_synthesizer")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@click.option("--problems", type=click.Path(path_type=Path), multiple=True, required=True,
              help="A folder of the teacher's problems. Folders are learnt in the order of their names.")  # fmt: skip
@click.option("--texts", type=click.Path(path_type=Path), multiple=True, required=True,
              help="A table with the texts of these problems.")  # fmt: skip
@section_options(plan=TrainingPlan)
def main(
    base: Path, out: Path, curve: Path, problems: tuple[Path, ...], texts: tuple[Path, ...], plan: TrainingPlan
) -> None:  # fmt: skip
    """Train BASE on the teacher's problems and save it to OUT, its loss curve to CURVE.

    \b
    Example:
        python -m stages.training.train_synthesizer models/synthesizer/initial models/synthesizer/boosted
            reports/curves/synthesizer-boosted --problems data/problems/initial --problems data/problems/boost
            --texts data/texts/initial.parquet --texts data/texts/candidate.parquet --num-epochs 5
            --learning-rate 1e-5 --optimizer adamw --warmup-ratio 0.03 --decay-ratio 0 --weight-decay 0.1
            --batch-rows 32 --max-length 2048 --seed 1
    """
    from stages.training.run import train
    from stages.training.synthesizer_examples import count_problems, synthesizer_examples

    folders = sorted(problems, key=lambda folder: folder.name)
    say(f"train_synthesizer: {count_problems(folders):,} problems, from {base}")
    examples = synthesizer_examples(folders, texts)
    train(f"train_synthesizer {out.name}", [base, *folders, *texts], examples, plan, out, curve)


if __name__ == "__main__":
    main()
