"""Pre-train a student on the synthetic problems.

python -m stages.training.pretrain models/base/llama data/synthetic models/pretrained/llama CURVE ...
"""

from collections.abc import Iterator
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.core.section import CountOrNone, ShareOverZero, section
from stages.training.mix_shares import PROBLEM_POOLS, MixShare, mix_faults
from stages.training.sections import TrainingPlan


@section
class PretrainSettings:
    """`pretrain` beside its plan."""

    mix: tuple[MixShare, ...]
    "Share of a kind of synthetic problems in training: cot=0.7, tool=0.3. An empty list takes all of each."
    frac: ShareOverZero
    "Train on this share of all problems, drawn by `seed`; a mix divides that number by its shares."
    max_problems: CountOrNone
    "Train on at most this many problems, drawn likewise; 0 sets no limit."
    keep_optimizer: bool
    "Save the optimizer's state too, so that fine-tuning can continue the same schedule (release: one run)."

    def rules(self) -> Iterator[str]:
        yield from mix_faults(self.mix, PROBLEM_POOLS)


@stage_command("pretrain")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("problems", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@section_options(plan=TrainingPlan, settings=PretrainSettings)
def main(
    base: Path, problems: Path, out: Path, curve: Path, plan: TrainingPlan, settings: PretrainSettings
) -> None:  # fmt: skip
    """Train BASE on PROBLEMS and save it to OUT, its loss curve to CURVE.

    \b
    Example:
        python -m stages.training.pretrain models/base/llama data/synthetic models/pretrained/llama
            reports/curves/pretrain-llama --num-epochs 1 --learning-rate 1e-5 --optimizer adamw --warmup-ratio 0.03
            --decay-ratio 0.15 --weight-decay 0 --batch-rows 512 --max-length 2048 --seed 1 --frac 1 --max-problems 0 --no-keep-optimizer
    """
    from stages.core.tables import count_rows
    from stages.training.mixing import mixed, parse_mix, problem_pools
    from stages.training.run import train

    table = problems / "problems.parquet"
    num_problems = count_rows(table)
    say(f"pretrain: {num_problems:,} synthetic problems, from {base}")
    frac = min(settings.frac, (settings.max_problems or num_problems) / max(1, num_problems))
    draw = "mix" if frac == 1 else f"mix {plan.seed}"
    examples = mixed(problem_pools([table]), parse_mix(settings.mix), frac, draw)
    train(
        f"pretrain {out.name}", [base, problems], examples, plan, out, curve, {"mix": settings.mix, "frac": settings.frac, "max_problems": settings.max_problems},
        keep_optimizer=settings.keep_optimizer,
    )  # fmt: skip


if __name__ == "__main__":
    main()
