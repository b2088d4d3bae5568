"""Train the reference model: LoRA on a base, on the problems that the initial synthesizer made of the candidates.

    python -m stages.training.train_reference models/synthesizer/initial data/synthesis/candidates models/reference CURVE ...

OUT holds the adapter (PEFT's format) and AdamW's moments of each LoRA parameter, which value estimation reads. Rank,
base and data of the paper's reference model are UNKNOWN; LESS (arXiv 2402.04333) trains LoRA r=128, alpha=512 on
q, k, v, o for 4 epochs, and that is the stand-in here, at the size of the model.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.command import StageError, say, stage_command
from stages.core.tables import read_table, write_json
from stages.core.work import finish_work, work_folder
from stages.training.formats import student_example
from stages.training.models import PROVENANCE, library_versions, load_model, load_tokenizer, use_device
from stages.training.options import training_options
from stages.training.plan import TrainingPlan
from stages.training.trainer import ADAM_BETAS, train, write_curve, wsd_factor

TARGET_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj"]


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
    rows = read_table("problems", problems / "problems.parquet")
    say(f"train_reference: {len(rows):,} candidate problems, LoRA rank {lora_rank}, from {base}")
    use_device()
    torch.manual_seed(plan.seed)
    tokenizer = load_tokenizer(base)
    lora = LoraConfig(r=lora_rank, lora_alpha=lora_alpha, target_modules=TARGET_MODULES, lora_dropout=0.0)
    model = get_peft_model(load_model(base), lora)
    options = {**vars(plan), "lora_rank": lora_rank, "lora_alpha": lora_alpha, "num_checkpoints": num_checkpoints}
    work = work_folder("train_reference", [base, problems], options, [Path(__file__).parent])
    examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in rows]
    facts = {"base": base.as_posix(), "plan": asdict(plan), "lora_rank": lora_rank, "lora_alpha": lora_alpha,
             "adam_betas": ADAM_BETAS, "versions": library_versions()}  # fmt: skip
    checkpoints = ReferenceCheckpoints(work / "reference", num_checkpoints, plan, facts)
    record, _ = train(model, tokenizer, examples, plan, "train_reference", work, [checkpoints])
    write_curve(record, curve)
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "reference", out)
    finish_work(work)


class ReferenceCheckpoints(TrainerCallback):
    """Saves the adapter and AdamW's moments at evenly spaced steps, the last one at the end."""

    def __init__(self, folder: Path, count: int, plan: TrainingPlan, facts: dict[str, Any]) -> None:
        self.folder, self.count, self.plan, self.facts = folder, count, plan, facts

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, optimizer: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        ends = checkpoint_steps(state.max_steps, self.count)
        if state.global_step not in ends:
            return
        number = ends.index(state.global_step)
        steps = range(ends[number - 1] if number else 0, ends[number])
        plan = self.plan
        factors = [wsd_factor(step, state.max_steps, plan.warmup_ratio, plan.decay_ratio) for step in steps]
        out = self.folder / f"checkpoint-{number + 1}"
        model.save_pretrained(str(out), safe_serialization=True)
        sort_target_modules(out / "adapter_config.json")
        save_file(adam_moments(model, optimizer), out / "adam_moments.safetensors")
        rate = plan.learning_rate * sum(factors) / len(factors)
        write_json({**self.facts, "num_steps": state.global_step, "learning_rate": rate}, out / PROVENANCE)


def checkpoint_steps(num_steps: int, count: int) -> list[int]:
    """The steps after which a checkpoint is taken.

    >>> checkpoint_steps(10, 4)
    [2, 5, 7, 10]
    """
    return sorted({num_steps * number // count for number in range(1, count + 1)} - {0})


def sort_target_modules(path: Path) -> None:
    """PEFT writes the target modules as a set, in an order that differs from process to process."""
    config = json.loads(path.read_text())
    write_json({**config, "target_modules": sorted(config["target_modules"])}, path)


def adam_moments(model: torch.nn.Module, optimizer: Any) -> dict[str, torch.Tensor]:
    """AdamW's first and second moment of each LoRA parameter: `<parameter>.exp_avg` and `.exp_avg_sq`."""
    state = getattr(optimizer, "optimizer", optimizer).state  # accelerate wraps the optimizer
    return {
        f"{name}.{moment}": state[parameter][moment].detach().contiguous().cpu()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        for moment in ("exp_avg", "exp_avg_sq")
    }


if __name__ == "__main__":
    main()
