"""Fine-tune a student on the teacher's problems and the training sets of the targets.

    python -m stages.training.finetune models/pretrained/llama data/distillation data/targets models/finetuned/llama CURVE --target grade ...

Run from `models/base/<student>` it makes the control: the same student without the synthetic pre-training.
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.tables import read_batches
from stages.training.mixing import Pool, mixed, parse_mix, problem_pools
from stages.training.options import mix_option, training_options
from stages.training.plan import TrainingPlan
from stages.training.run import train
from stages.training.targets import target_example


@stage_command("finetune")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("distillation", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@click.option("--target", "target_names", multiple=True, required=True, help="A target whose problems are learnt too.")
@mix_option
@click.option("--continue-optimizer/--no-continue-optimizer", required=True,
              help="Go on with the optimizer's state that BASE has, without warm-up (the release: one run); else a fresh one.")  # fmt: skip
@training_options
def main(
    base: Path, distillation: Path, targets: Path, out: Path, curve: Path,
    target_names: tuple[str, ...], mix: tuple[str, ...], continue_optimizer: bool, plan: TrainingPlan,
) -> None:  # fmt: skip
    """Train BASE on the problems under DISTILLATION and the named TARGETS; save it to OUT, its loss curve to CURVE."""
    tables = sorted(distillation.rglob("problems.parquet"))
    say(f"finetune: the teacher's problems and {len(target_names)} targets, from {base}")
    pools = problem_pools(tables) | {"target": target_pool([targets / f"{name}.parquet" for name in target_names])}
    examples = mixed(pools, parse_mix(mix, pools))
    options: dict[str, object] = {"mix": mix, "target": target_names}
    train(
        f"finetune {base.parent.name}-{out.name}", [base, distillation, targets], examples, plan, out, curve, options,
        continue_optimizer=continue_optimizer,
    )  # fmt: skip


def target_pool(tables: list[Path]) -> Pool:
    """The problems of the targets with their own solutions."""
    return Pool(
        lambda: (row for table in tables for batch in read_batches("benchmarks", table) for row in batch.to_pylist()),
        target_example,
        lambda row: f"{row['benchmark']}-{row['index']}",
    )


if __name__ == "__main__":
    main()
