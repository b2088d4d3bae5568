"""Fine-tune a student on the teacher's problems, the targets' training problems, and published examples.

    python -m stages.training.finetune models/pretrained/llama data/targets models/finetuned/llama CURVE --problems data/problems/initial ...

With BASE `models/base/<student>` it makes the control: the same student without synthetic pre-training.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.named_tables import tables_named
from stages.core.options import section_options
from stages.core.section import section
from stages.training.mix_shares import FINETUNE_POOLS, MixShare, mix_faults
from stages.training.sections import TrainingPlan


@section
class FinetuneSettings:
    """`finetune` beside its plan."""

    target: tuple[str, ...]
    "A target whose problems are learnt too; an empty list takes all."
    mix: tuple[MixShare, ...]
    "Share of a kind in training: cot and tool (the teacher's problems), target, example. An empty list takes all of each."
    continue_optimizer: bool
    "Continue with the optimizer state saved in BASE, without warm-up (release: one run)."

    def rules(self) -> Iterator[str]:
        yield from mix_faults(self.mix, FINETUNE_POOLS)


@stage_command("finetune")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@click.argument("examples", type=click.Path(path_type=Path), required=False)
@click.option("--problems", type=click.Path(path_type=Path), multiple=True, required=True,
              help="A folder of the teacher's problems. Folders are learnt in the order of their names.")  # fmt: skip
@section_options(plan=TrainingPlan, settings=FinetuneSettings)
def main(
    base: Path, targets: Path, out: Path, curve: Path, examples: Path | None, problems: tuple[Path, ...], plan: TrainingPlan,
    settings: FinetuneSettings,
) -> None:  # fmt: skip
    """Train BASE on the teacher's problems, the named TARGETS and all EXAMPLES; save it to OUT, its loss curve to CURVE.

    \b
    Example:
        python -m stages.training.finetune models/pretrained/llama data/targets models/finetuned/pretrained/llama
            reports/curves/finetune-pretrained-llama --problems data/problems/initial --problems data/problems/boost
            --num-epochs 1 --learning-rate 1e-5 --optimizer adamw --warmup-ratio 0.03 --decay-ratio 0.15
            --weight-decay 0 --batch-rows 512 --max-length 2048 --seed 1 --no-continue-optimizer
    """
    from stages.training.example_pool import example_pool
    from stages.training.mixing import mixed, parse_mix, problem_pools
    from stages.training.run import train
    from stages.training.target_pool import target_pool

    folders = sorted(problems, key=lambda folder: folder.name)
    tables = tables_named(targets, settings.target)
    say(f"finetune: the teacher's problems and {len(tables)} targets, from {base}")
    pools = problem_pools([folder / "problems.parquet" for folder in folders])
    pools["target"] = target_pool(list(tables.values()))
    others = list(tables_named(examples, ()).values()) if examples else []
    pools["example"] = example_pool(others)
    learnt = mixed(pools, parse_mix(settings.mix))
    options: dict[str, object] = {"mix": settings.mix, "target": tuple(tables)}
    train(
        f"finetune {base.parent.name}-{out.name}", [base, *folders, *tables.values(), *others], learnt, plan, out, curve, options,
        continue_optimizer=settings.continue_optimizer,
    )  # fmt: skip


if __name__ == "__main__":
    main()
