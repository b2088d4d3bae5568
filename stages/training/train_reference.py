"""Train the reference model: LoRA on a base, on the problems that the initial synthesizer made of the candidates.

    python -m stages.training.train_reference models/synthesizer/initial data/synthesis/candidates models/reference CURVE ...

OUT holds the adapter (PEFT's format) and AdamW's moments of each LoRA parameter, which value estimation reads. Rank,
base and data of the paper's reference model are UNKNOWN; LESS (arXiv 2402.04333) trains LoRA r=128, alpha=512 on
q, k, v, o for 4 epochs, and that is the stand-in here, at the size of the model.
"""

from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import count_rows
from stages.training.mixing import mixed, problem_pools
from stages.training.options import training_options
from stages.training.plan import LoraPlan, TrainingPlan
from stages.training.run import train


@stage_command("train_reference")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("problems", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("curve", type=click.Path(path_type=Path))
@click.option("--lora-rank", type=click.IntRange(min=1), required=True, help="Rank of the update (LESS: 128).")
@click.option("--lora-alpha", type=click.IntRange(min=1), required=True, help="Its scale is alpha / rank (LESS: 512).")
@click.option("--num-checkpoints", type=click.IntRange(min=1), required=True,
              help="Evenly spaced checkpoints whose values are summed, weighted by learning rate (LESS: one an epoch).")  # fmt: skip
@training_options
def main(
    base: Path, problems: Path, out: Path, curve: Path, lora_rank: int, lora_alpha: int, num_checkpoints: int,
    plan: TrainingPlan,
) -> None:  # fmt: skip
    """Train LoRA weights on BASE with PROBLEMS; save checkpoints of them and of AdamW's moments to OUT."""
    if plan.optimizer != "adamw":
        raise StageError(
            f"train_reference.optimizer is {plan.optimizer!r}; value estimation needs AdamW's moments: set adamw."
        )
    lora = LoraPlan(lora_rank, lora_alpha, num_checkpoints)
    table = problems / "problems.parquet"
    say(f"train_reference: {count_rows(table):,} candidate problems, LoRA rank {lora_rank}, from {base}")
    train("train_reference", [base, problems], mixed(problem_pools([table]), {}), plan, out, curve, lora=lora)


if __name__ == "__main__":
    main()
