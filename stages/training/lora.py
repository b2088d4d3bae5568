"""LoRA weights on a base model, and the checkpoints that value estimation reads.

OUT/checkpoint-1/   the adapter (PEFT's format), adam_moments.safetensors: AdamW's moments of each LoRA parameter, and
                    provenance.json: the steps and the mean learning rate since the checkpoint before
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.command import StageError
from stages.core.files import write_json
from stages.models.folders import PROVENANCE, library_versions
from stages.models.packed_agreement import LORA_MODULES, unfit_for_lora
from stages.training.job import TrainingJob
from stages.training.process_group import of_the_first
from stages.training.schedule import wsd_factor
from stages.training.sharding import whole, whole_state
from stages.training.spread_state import MOMENTS


def lora_model(job: TrainingJob, base: PreTrainedModel) -> PeftModel:
    """The job's base with LoRA weights to train, in float32; the base's own are frozen."""
    assert job.lora
    if reason := unfit_for_lora(base):
        raise StageError(
            f"{job.base} cannot be the base of the reference model: {reason}. Choose another model as `synthesizer`."
        )
    config = LoraConfig(
        r=job.lora.rank, lora_alpha=job.lora.alpha, target_modules=list(LORA_MODULES), lora_dropout=0.0, task_type="CAUSAL_LM"
    )  # fmt: skip
    return get_peft_model(base, config)


class ReferenceCheckpoints(TrainerCallback):
    """Saves the adapter and AdamW's moments at evenly spaced steps, the last one at the end."""

    def __init__(self, job: TrainingJob) -> None:
        self.job = job

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:  # fmt: skip
        """Refuse to go on without those of earlier steps: nothing would write them again."""
        if lacking := of_the_first(lambda: _lacking(self.job, state.max_steps, state.global_step)):
            raise StageError(
                f"{self.job.title}: {_folder(self.job)} lacks {', '.join(lacking)}, and the training would go on after step "
                f"{state.global_step}. Put them back, or set RESUME=0 to start again."
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, optimizer: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        assert self.job.lora
        ends = checkpoint_steps(state.max_steps, self.job.lora.num_checkpoints)
        if state.global_step not in ends:
            return
        inner = getattr(model, "module", model)
        weights, moments = whole_state(inner, only_trained=True), adam_moments(inner, optimizer)
        if not state.is_world_process_zero:
            return
        number, plan = ends.index(state.global_step), self.job.plan
        steps = range(ends[number - 1] if number else 0, ends[number])
        factors = [wsd_factor(step, state.max_steps, plan.warmup_ratio, plan.decay_ratio) for step in steps]
        out = _folder(self.job) / f"checkpoint-{number + 1}"
        inner.save_pretrained(str(out), state_dict=weights)
        (out / "README.md").unlink(missing_ok=True)
        sort_target_modules(out / "adapter_config.json")
        save_file(moments, out / "adam_moments.safetensors")
        facts = {
            "base": self.job.base.as_posix(), "plan": asdict(plan), "lora": asdict(self.job.lora),
            "adam_betas": plan.betas, "versions": library_versions(), "num_steps": state.global_step,
            "learning_rate": plan.learning_rate * sum(factors) / len(factors),
        }  # fmt: skip
        write_json(facts, out / PROVENANCE)


def copy_checkpoints(job: TrainingJob) -> None:
    """Give the finished checkpoints their place; where the stage is killed before it ends, DVC deletes them there."""
    shutil.rmtree(job.out, ignore_errors=True)
    shutil.copytree(_folder(job), job.out)


def _lacking(job: TrainingJob, num_steps: int, step: int) -> list[str]:
    """Names of the checkpoints that were written up to a step and are not there whole."""
    assert job.lora
    ends = checkpoint_steps(num_steps, job.lora.num_checkpoints)
    names = [f"checkpoint-{number}" for number, end in enumerate(ends, 1) if end <= step]
    return [name for name in names if not (_folder(job) / name / PROVENANCE).is_file()]


def _folder(job: TrainingJob) -> Path:
    return job.work / "reference"


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
    """AdamW's first and second moment of each LoRA parameter: `<parameter>.exp_avg` and `.exp_avg_sq`.

    Every process takes part where the model is sharded.
    """
    state = getattr(optimizer, "optimizer", optimizer).state  # accelerate wraps the optimizer
    return {
        f"{name}.{moment}": whole(state[parameter][moment]).contiguous().cpu()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        for moment in MOMENTS
    }
