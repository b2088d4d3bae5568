"""Train the reference model: LoRA on a base, with the problems that the initial synthesizer wrote from the candidates.

    python -m stages.training.train_reference models/synthesizer/initial data/synthesis/candidates models/reference CURVE ...

OUT holds the adapter (PEFT's format) and AdamW's moments of each LoRA parameter, which value estimation reads. Rank,
base and data of the paper's reference model are UNKNOWN. LESS (arXiv 2402.04333) trains LoRA of rank 128 and alpha 512 on
q, k, v, o for 4 epochs; this stage does the same, scaled to the model.
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.options import section_options
from stages.core.section import Count, section
from stages.training.sections import TrainingPlan


@section
class ReferenceSettings:
    """`train_reference` beside its plan."""

    lora_rank: Count
    "Rank of the LoRA weights (LESS: 128)."
    lora_alpha: Count
    "LoRA updates are scaled by alpha / rank (LESS: 512)."
    num_checkpoints: Count
    "Evenly spaced checkpoints; a value is their sum, weighted by learning rate (LESS: one per epoch)."


@stage_command("train_reference")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("problems", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@section_options(plan=TrainingPlan, settings=ReferenceSettings)
def main(
    base: Path, problems: Path, out: Path, curve: Path, plan: TrainingPlan, settings: ReferenceSettings
) -> None:  # fmt: skip
    """Train LoRA weights on BASE with PROBLEMS; save their checkpoints and AdamW's moments to OUT.

    \b
    Example:
        python -m stages.training.train_reference models/synthesizer/initial data/synthesis/candidates
            models/reference reports/curves/reference --lora-rank 128 --lora-alpha 512 --num-checkpoints 4
            --num-epochs 4 --learning-rate 2e-5 --optimizer adamw --warmup-ratio 0.03 --decay-ratio 0.97
            --weight-decay 0 --batch-rows 32 --max-length 2048 --seed 1
    """
    if plan.optimizer != "adamw":
        raise StageError(
            f"train_reference.optimizer is {plan.optimizer!r}; value estimation needs AdamW's moments: set adamw."
        )
    from stages.core.tables import count_rows
    from stages.training.job import LoraPlan
    from stages.training.mixing import mixed, problem_pools
    from stages.training.run import train

    lora = LoraPlan(settings.lora_rank, settings.lora_alpha, settings.num_checkpoints)
    table = problems / "problems.parquet"
    say(f"train_reference: {count_rows(table):,} candidate problems, LoRA rank {lora.rank}, from {base}")
    train("train_reference", [base, problems], mixed(problem_pools([table]), {}), plan, out, curve, lora=lora)


if __name__ == "__main__":
    main()
