"""Pre-train a student on the synthetic problems.

python -m stages.training.pretrain models/base/llama data/synthetic models/pretrained/llama CURVE ...
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.tables import count_rows
from stages.training.mixing import mixed, parse_mix, problem_pools
from stages.training.options import mix_option, training_options
from stages.training.plan import TrainingPlan
from stages.training.run import train


@stage_command("pretrain")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("problems", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@mix_option
@click.option("--keep-optimizer/--no-keep-optimizer", required=True,
              help="Save the optimizer's state too, so that fine-tuning can go on as one schedule (the release: one run).")  # fmt: skip
@training_options
def main(
    base: Path, problems: Path, out: Path, curve: Path, mix: tuple[str, ...], keep_optimizer: bool, plan: TrainingPlan
) -> None:
    """Train BASE on PROBLEMS and save it to OUT, its loss curve to CURVE."""
    table = problems / "problems.parquet"
    say(f"pretrain: {count_rows(table):,} synthetic problems, from {base}")
    pools = problem_pools([table])
    examples = mixed(pools, parse_mix(mix, pools))
    train(
        f"pretrain {out.name}", [base, problems], examples, plan, out, curve, {"mix": mix}, keep_optimizer=keep_optimizer
    )  # fmt: skip


if __name__ == "__main__":
    main()
