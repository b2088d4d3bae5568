"""The trainer of all four uses: synthesizer, reference, pre-training and fine-tuning.

    trained = train_model(model, TokenStore(job.tokens), job)       # trained.record, trained.trainer

transformers' Trainer over packed rows without padding; loss on outputs only, logits at those places only; warm-up, stable,
decay schedule; AdamW, or Muon for the hidden matrices with AdamW for the rest; Mixtral's router loss. The rows of a step are
the plan's on any number of devices. What only saves memory or time is chosen from the machine: bfloat16, gradient
checkpointing, sharding (FSDP), Liger's kernels.
"""

import importlib.util
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from stages.core.command import StageError, say
from stages.core.interruption import finishing_first
from stages.models.folders import has_bf16
from stages.models.packed_agreement import has_plain_head
from stages.models.packed_attention import use_packed_attention
from stages.models.token_losses import is_chunked, loss_at_head
from stages.training.batches import MICRO_TOKENS, Collator, Rows
from stages.training.checkpoints import Checkpoints, last_checkpoint
from stages.training.curve import POINTS, Curve
from stages.training.divergence import DivergenceGuard
from stages.training.job import TrainingJob
from stages.training.memory import Fit, fit_here
from stages.training.optimizer import MuonWithAdamW
from stages.training.schedule import wsd_factor
from stages.training.sections import TrainingPlan
from stages.training.token_store import TokenStore


@dataclass(frozen=True)
class Trained:
    """What a run did: `record` for provenance and usage; the Trainer, which knows how the model is spread."""

    record: dict[str, Any]
    trainer: Trainer


def train_model(
    model: torch.nn.Module, store: TokenStore, job: TrainingJob, callbacks: Sequence[TrainerCallback] = ()
) -> Trained:
    """Train in place, from the last checkpoint in the job's work folder if there is one."""
    plan, num_devices = job.plan, int(os.environ.get("WORLD_SIZE", 1))
    config = base_model(model).config
    use_packed_attention(base_model(model))
    # Logits of one chunk are the model's own, whatever it does with them.
    is_plain = not is_chunked(MICRO_TOKENS, config.vocab_size) or has_plain_head(base_model(model))
    fitted = fit_here(model, plan, num_devices, job.work, is_plain)
    rows = Rows(store, plan, fitted.layout)
    if int(os.environ.get("RANK", 0)) == 0:
        say(
            f"{job.title}: {len(store):,} examples ({store.num_too_long} longer than {plan.max_length} tokens left out), "
            f"{plan.num_epochs} epochs, {rows.num_tokens:,} tokens in {rows.num_steps:,} steps, "
            f"{rows.padding_frac:.1%} of the rows empty{fitted.words()}"
        )  # fmt: skip
    curve = Curve(job.title, rows.num_steps, rows.num_tokens / rows.num_steps, job.curve)
    guard = DivergenceGuard()  # after the checkpoints' callback: before one is saved it looks at all losses
    trainer = _trainer(model, rows, Collator(store), job, fitted, is_plain, [curve, Checkpoints(), guard, *callbacks])
    checkpoint = last_checkpoint(job.work)
    started = time.monotonic()
    # One of several processes might stop before the others: they are ended from outside.
    to_the_next_checkpoint = finishing_first(job.title) if num_devices == 1 else nullcontext()
    try:
        with to_the_next_checkpoint:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        curve.tracker.stop()
    seconds = time.monotonic() - started
    record = {
        "num_examples": len(store), "num_too_long": store.num_too_long, "num_tokens": rows.num_tokens,
        "num_steps": rows.num_steps, "seconds": seconds, "loss": curve.last_loss, "padding_frac": rows.padding_frac,
    }  # fmt: skip
    return Trained(record, trainer)


def base_model(model: Any) -> PreTrainedModel:
    """The transformers model inside, where PEFT wraps it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def build_optimizer(model: torch.nn.Module, plan: TrainingPlan) -> Optimizer:
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if plan.optimizer == "adamw":
        parameters = [p for _, p in trained]
        return AdamW(parameters, lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay)
    return MuonWithAdamW(trained, plan.learning_rate, plan.betas, plan.weight_decay)


def _trainer(
    model: torch.nn.Module, rows: Rows, collator: Collator, job: TrainingJob, fitted: Fit, is_plain: bool,
    callbacks: list[TrainerCallback],
) -> "PackedTrainer":  # fmt: skip
    plan, layout, savings = job.plan, fitted.layout, fitted.savings
    if savings.is_sharded and plan.optimizer != "adamw":
        raise StageError(
            f"{job.title}: optimizer {plan.optimizer!r} needs whole matrices, and this model is sharded over "
            f"{layout.num_devices} devices. Set adamw."
        )
    arguments = TrainingArguments(
        output_dir=str(job.work),
        max_steps=rows.num_steps,
        per_device_train_batch_size=layout.micro_rows,
        gradient_accumulation_steps=layout.num_micro,
        max_grad_norm=1.0,
        bf16=has_bf16(),
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        save_strategy="no",
        logging_steps=max(1, rows.num_steps // POINTS),
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        seed=plan.seed,
        dataloader_num_workers=0,
        remove_unused_columns=False,
        use_liger_kernel=torch.cuda.is_available() and importlib.util.find_spec("liger_kernel") is not None,
        liger_kernel_config={"fused_linear_cross_entropy": False, "cross_entropy": False},
        **savings.arguments(),
    )
    optimizer = build_optimizer(model, plan)
    num_steps = rows.num_steps
    schedule = LambdaLR(optimizer, lambda step: wsd_factor(step, num_steps, plan.warmup_ratio, plan.decay_ratio))
    trainer = PackedTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=collator,
        optimizers=(optimizer, schedule),
        callbacks=callbacks,
    )
    trainer.has_plain_head = is_plain
    trainer.remove_callback(PrinterCallback)
    return trainer


class PackedTrainer(Trainer):
    """Takes rows in their own order, and the mean loss over the learnt tokens of a whole step."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_plain_head = False  # then logits are held whole
        self.head: Any = base_model(self.model).get_output_embeddings()
        self.loss_is_scaled_for_ga = True  # by the number of learnt tokens of the step
        self.router_weight = float(getattr(base_model(self.model).config, "router_aux_loss_coef", 0.0) or 0.0)
        self.guard = next(c for c in self.callback_handler.callbacks if isinstance(c, DivergenceGuard))

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> torch.utils.data.Sampler:
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)  # type: ignore[arg-type]

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:  # fmt: skip
        """The sum over this device's learnt tokens by the number of all in the step; the devices' losses are averaged."""
        labels = inputs.pop("labels")
        inputs.pop("shift_labels")
        router = {"output_router_logits": True} if self.router_weight else {}
        if self.has_plain_head and is_chunked(len(labels), self.head.weight.shape[0]):
            with loss_at_head(self.head, labels):
                outputs = model(**inputs, **router, use_cache=False)
            total = outputs.logits
        else:
            outputs = model(**inputs, **router, use_cache=False)
            total = torch.nn.functional.cross_entropy(outputs.logits[0].float(), labels, reduction="sum")
        loss = total / num_items_in_batch * self.accelerator.num_processes
        if self.router_weight:
            loss = loss + self.router_weight * outputs.aux_loss / self.args.gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        loss = super().training_step(*arguments, **options)
        self.guard.add(loss)
        return loss
