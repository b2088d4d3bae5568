"""The trainer of all four uses: synthesizer, reference, pre-training and fine-tuning.

    train(model, tokenizer, examples, TrainingPlan(num_epochs=2, learning_rate=4e-3, ...), work, curve)

transformers' Trainer over packed rows; loss on outputs only; warm-up, stable, decay (WSD) schedule; bf16 where the
hardware has it; AdamW, or Muon for the hidden matrices with AdamW for the rest. The global batch is the same on any
number of devices. Checkpoints go to the stage's work folder, and a run that was killed goes on from the last one.
"""

import csv
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from stages.core.command import StageError, say
from stages.core.progress import Tracker
from stages.training.formats import Example
from stages.training.models import has_bf16
from stages.training.optimizer import MuonWithAdamW
from stages.training.packing import pack, tokenize
from stages.training.plan import TrainingPlan

if TYPE_CHECKING:
    from peft import PeftModel

ADAM_BETAS = (0.9, 0.98)
CURVE_POINTS = 60
CHECKPOINT_SECONDS = 120.0


class PackedRows(Dataset):
    def __init__(self, rows: list[dict[str, list[int]]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(values) for name, values in self.rows[index].items()}


def stack_rows(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def wsd_factor(step: int, num_steps: int, warmup_ratio: float, decay_ratio: float) -> float:
    """Warm-up, stable, linear decay to a tenth (the release: 3% warm-up, constant to 85%, floor 0.1x, [I2])."""
    warmup, decay = max(1, round(num_steps * warmup_ratio)), max(1, round(num_steps * decay_ratio))
    if step < warmup:
        return (step + 1) / warmup
    left = (num_steps - step) / decay
    return max(0.1 * min(1.0, left + 0.1), left) if left < 1 else 1.0


def build_optimizer(model: torch.nn.Module, plan: TrainingPlan) -> Optimizer:
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if plan.optimizer == "adamw":
        parameters = [p for _, p in trained]
        return AdamW(parameters, lr=plan.learning_rate, betas=ADAM_BETAS, weight_decay=plan.weight_decay)
    return MuonWithAdamW(trained, plan.learning_rate, ADAM_BETAS, plan.weight_decay)


class Curve(TrainerCallback):
    """Keeps the training curve for DVC's plots, shows progress, and stops a run whose loss is not a number."""

    def __init__(self, title: str, num_steps: int) -> None:
        self.points: list[dict[str, Any]] = []
        self.tracker = Tracker(title, num_steps, "steps")
        self.last_checkpoint = time.monotonic()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.tracker.__enter__()
        self.tracker.go_on_from(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.tracker.advance()
        is_late = time.monotonic() - self.last_checkpoint > CHECKPOINT_SECONDS
        # Only where a mean loss has just been logged: a run that goes on from here then draws the same curve.
        if is_late and state.global_step % args.logging_steps == 0 and state.global_step < state.max_steps:
            control.should_save = True
            self.last_checkpoint = time.monotonic()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.points = [entry for entry in state.log_history if "loss" in entry]
        if self.points and not math.isfinite(self.points[-1]["loss"]):
            raise StageError(
                f"the loss is {self.points[-1]['loss']} at step {state.global_step}. Lower learning_rate, or raise "
                f"warmup_ratio; checkpoints before this step are in {args.output_dir}."
            )

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.tracker.__exit__()


def train(
    model: "PreTrainedModel | PeftModel",
    tokenizer: PreTrainedTokenizerBase,
    examples: list[Example],
    plan: TrainingPlan,
    title: str,
    work: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> tuple[dict[str, Any], Trainer]:
    """Train in place; returns a record of what was done (for `provenance.json`) and the Trainer, for its optimizer."""
    tokenized, num_too_long = tokenize(examples, tokenizer, plan.max_length)
    if not tokenized:
        raise StageError(f"{title}: none of {len(examples)} examples fits max_length = {plan.max_length} tokens.")
    rows = [
        row
        for epoch in range(plan.num_epochs)
        for row in pack(tokenized, plan.max_length, tokenizer.pad_token_id, seed=plan.seed * 1000 + epoch)
    ]
    num_steps = math.ceil(len(rows) / plan.batch_rows)
    num_tokens = plan.num_epochs * sum(len(example.input_ids) for example in tokenized)
    say(f"{title}: {len(tokenized):,} examples ({num_too_long} longer than {plan.max_length} tokens left out), "
        f"{plan.num_epochs} epochs, {num_tokens:,} tokens in {num_steps:,} steps")  # fmt: skip
    curve = Curve(title, num_steps)
    trainer = _trainer(model, rows, num_steps, plan, [curve, *callbacks], work)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(work)))
    seconds = time.monotonic() - started
    share_here = (num_steps - curve.tracker.done_before) / num_steps  # the rest is an earlier run's
    loss = curve.points[-1]["loss"] if curve.points else float("nan")
    say(f"{title}: loss {loss:.3f}, {num_tokens * share_here / seconds:,.0f} tokens/s")
    record = {
        "num_examples": len(tokenized), "num_too_long": num_too_long, "num_tokens": num_tokens, "num_steps": num_steps, "seconds": seconds,
        "loss": loss, "curve": [{"step": p["step"], "loss": p["loss"], "learning_rate": p["learning_rate"]} for p in curve.points],
    }  # fmt: skip
    return record, trainer


def _trainer(
    model: "PreTrainedModel | PeftModel",
    rows: list[dict[str, list[int]]],
    num_steps: int,
    plan: TrainingPlan,
    callbacks: list[TrainerCallback],
    work: Path,
) -> Trainer:
    has_cuda = torch.cuda.is_available()
    devices = int(os.environ.get("WORLD_SIZE", 0)) or max(1, torch.cuda.device_count())
    if plan.batch_rows % devices:
        raise StageError(f"batch_rows = {plan.batch_rows} does not divide among {devices} devices; make it a multiple.")
    arguments = TrainingArguments(
        output_dir=str(work),
        max_steps=num_steps,
        per_device_train_batch_size=plan.batch_rows // devices,
        max_grad_norm=1.0,
        bf16=has_bf16(),
        use_cpu=not has_cuda,
        save_strategy="no",
        save_total_limit=1,
        logging_steps=max(1, num_steps // CURVE_POINTS),
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        seed=plan.seed,
        dataloader_num_workers=0,
        remove_unused_columns=False,
    )
    optimizer = build_optimizer(model, plan)
    schedule = LambdaLR(optimizer, lambda step: wsd_factor(step, num_steps, plan.warmup_ratio, plan.decay_ratio))
    trainer = OrderedTrainer(
        model=model,
        args=arguments,
        train_dataset=PackedRows(rows),
        data_collator=stack_rows,
        optimizers=(optimizer, schedule),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


class OrderedTrainer(Trainer):
    """Takes the rows in their own order: they were shuffled, by seed, when they were packed."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> torch.utils.data.Sampler:
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)  # type: ignore[arg-type]


def write_curve(record: dict[str, Any], path: Path) -> None:
    """The training curve as CSV for `dvc plots`: step, loss, learning_rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["step", "loss", "learning_rate"])
        writer.writeheader()
        writer.writerows(record["curve"])
