"""The trainer of all four uses: synthesizer, reference, pre-training and fine-tuning.

    trained = train_model(model, TokenStore(job.tokens), job)       # trained.record, trained.trainer

transformers' Trainer over packed rows without padding; loss on outputs only, logits at those places only; warm-up, stable,
decay schedule; AdamW, or Muon for the hidden matrices with AdamW for the rest; Mixtral's router loss. The rows of a step are
the plan's on any number of devices. What only saves memory or time is chosen from the machine: bfloat16, gradient
checkpointing, sharding (FSDP), Liger's kernels. The first of several processes alone has the model's weights when it comes here.
"""

import importlib.util
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from stages.core.command import StageError, say
from stages.core.files import json_in, write_json
from stages.core.interruption import finishing_first
from stages.models.folders import has_bf16
from stages.models.packed_agreement import has_plain_head
from stages.models.packed_attention import use_packed_attention
from stages.models.rotary_reach import refuse_longer
from stages.models.token_losses import is_chunked
from stages.training.batches import MICRO_TOKENS, Collator, Rows
from stages.training.checkpoints import STOPPED, Checkpoints, checkpoint_to_continue, written_bytes
from stages.training.curve import POINTS, Curve
from stages.training.divergence import DivergenceGuard
from stages.training.job import TrainingJob
from stages.training.memory import Fit, fit_here
from stages.training.packed_trainer import PackedTrainer, base_model
from stages.training.process_group import is_first, num_processes, of_the_first
from stages.training.seal import damage
from stages.training.sharding import spread
from stages.training.spread_state import PARTS
from stages.training.token_store import TokenStore

CPU = torch.device("cpu")
SECONDS = "seconds.json"  # in the work folder: what an interrupted training took


@dataclass(frozen=True)
class Trained:
    """What a run did: `record` for provenance and usage; the Trainer, which knows how the model is spread."""

    record: dict[str, Any]
    trainer: PackedTrainer


def train_model(
    model: torch.nn.Module, store: TokenStore, job: TrainingJob, callbacks: Sequence[TrainerCallback] = (),
    device: torch.device = CPU,
) -> Trained:  # fmt: skip
    """Train in place, from the last checkpoint in the job's work folder if there is one.

    `device`: where each of several processes gets its part of the first one's model.
    """
    plan, num_devices = job.plan, num_processes()
    config = base_model(model).config
    refuse_longer(config, int(store.lengths.max()), f"{job.title}: the longest example")
    use_packed_attention(base_model(model))
    # Logits of one chunk are the model's own, whatever it does with them.
    is_plain = not is_chunked(MICRO_TOKENS, config.vocab_size) or of_the_first(
        lambda: has_plain_head(base_model(model))
    )
    fitted = of_the_first(lambda: fit_here(model, plan, num_devices, job.work, is_plain))
    rows = Rows(store, plan, fitted.layout)
    _refuse_sharded(job, fitted)
    if is_first():
        say(
            f"{job.title}: {len(store):,} examples ({store.num_too_long} longer than {plan.max_length} tokens are skipped), "
            f"{plan.num_epochs} epochs, {rows.num_tokens:,} tokens in {rows.num_steps:,} steps, "
            f"{rows.padding_frac:.1%} of the rows empty{fitted.words()}"
        )  # fmt: skip
    if num_devices > 1:
        spread(model, device, fitted.savings.is_sharded)
    curve = Curve(job.title, rows.num_steps, rows.num_tokens / rows.num_steps, job.curve)
    guard = DivergenceGuard()  # after the checkpoints' callback: before one is saved it looks at all losses
    saves = Checkpoints(job.work, written_bytes(model) / (num_devices if fitted.savings.is_sharded else 1))
    trainer = _trainer(model, rows, Collator(store), job, fitted, is_plain, [curve, saves, guard, *callbacks])
    checkpoint = of_the_first(lambda: checkpoint_to_continue(job.work))
    if checkpoint:
        _refuse_damaged(job, checkpoint)
        _refuse_other_kind(job, checkpoint, fitted.savings.is_sharded)
    started = time.monotonic() - _seconds_before(job)
    try:
        # Told to stop at once, this process notes it first: some libraries make another error of it, and send that to all.
        stopped = (job.work / STOPPED).touch
        with finishing_first(job.title if is_first() else "", seconds=0, at_once=stopped):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        curve.tracker.stop()
        seconds = time.monotonic() - started
        if is_first():
            with suppress(OSError):  # of a full disk, which the training's own error tells
                write_json({"seconds": seconds}, job.work / SECONDS)
    record = {
        "num_examples": len(store), "num_too_long": store.num_too_long, "num_tokens": rows.num_tokens,
        "num_steps": rows.num_steps, "seconds": seconds, "loss": curve.last_loss, "padding_frac": rows.padding_frac,
    }  # fmt: skip
    return Trained(record, trainer)


def _seconds_before(job: TrainingJob) -> float:
    """Of this training before it was interrupted; those of a run that was killed at once are lost."""
    return float((json_in(job.work / SECONDS) or {}).get("seconds", 0.0))


def _trainer(
    model: torch.nn.Module, rows: Rows, collator: Collator, job: TrainingJob, fitted: Fit, is_plain: bool,
    callbacks: list[TrainerCallback],
) -> PackedTrainer:  # fmt: skip
    plan, layout, savings = job.plan, fitted.layout, fitted.savings
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
    trainer = PackedTrainer(
        plan, is_plain, model=model, args=arguments, train_dataset=rows, data_collator=collator, callbacks=callbacks
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _refuse_sharded(job: TrainingJob, fitted: Fit) -> None:
    if fitted.savings.is_sharded and (fault := job.plan.sharding_fault(fitted.layout.num_devices)):
        raise StageError(f"{job.title}: {fault}")
    if fitted.savings.is_sharded and fitted.layout.num_devices == 1:
        raise StageError(f"{job.title}: NINECHAPTERS_FSDP is 1, but there is only one process. Unset it.")


def _refuse_damaged(job: TrainingJob, checkpoint: Path) -> None:
    if fault := of_the_first(lambda: damage(checkpoint)):
        raise StageError(
            f"{job.title}: the checkpoint {checkpoint} cannot be continued: {fault}. Put the file back, or set RESUME=0 to "
            f"start again."
        )


def _refuse_other_kind(job: TrainingJob, checkpoint: Path, is_sharded: bool) -> None:
    was_sharded = (checkpoint / PARTS).exists()
    if was_sharded != is_sharded:
        before, now = ("" if yes else "un" for yes in (was_sharded, is_sharded))
        raise StageError(
            f"{job.title}: {checkpoint} is of a model that was {before}sharded, and this run is {now}sharded. Set "
            f"NINECHAPTERS_FSDP={int(was_sharded)} (and several processes, if it is 1) to continue from it, or "
            f"RESUME=0 to start again."
        )
