"""Stops a run whose loss is no number or has jumped, with a report of the steps before.

The loss of each step is looked at: at once on a CPU, every ten steps on a GPU, which need not wait for it. A jump: the median
of the last ten losses lies above that of the hundred before by half of it and by ten times their median deviation.
`NINECHAPTERS_DIVERGENCE_GUARD=0` lets jumps pass.
"""

import math
import os
import statistics
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.command import StageError
from stages.core.files import write_csv

RECENT, BEFORE = 10, 100
REPORT = "divergence.csv"


class DivergenceGuard(TrainerCallback):
    def __init__(self) -> None:
        self.losses: list[tuple[int, float]] = []
        self.waiting: list[tuple[int, torch.Tensor]] = []
        self.step_loss: torch.Tensor | float = 0.0

    def add(self, loss: torch.Tensor) -> None:
        """The loss of one forward pass, as a share of its step's."""
        self.step_loss = self.step_loss + loss.detach()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self.waiting.append((state.global_step, torch.as_tensor(self.step_loss)))
        self.step_loss = 0.0
        is_due = args.device.type == "cpu" or len(self.waiting) >= RECENT or control.should_save
        if is_due or state.global_step >= state.max_steps:
            self.losses += [(step, float(loss)) for step, loss in self.waiting]
            self.losses, self.waiting = self.losses[-(RECENT + BEFORE) :], []
            self._check(args, state)

    def _check(self, args: TrainingArguments, state: TrainerState) -> None:
        step, reason = next(((s, f"the loss is {loss}") for s, loss in self.losses if not math.isfinite(loss)), (0, ""))
        if not reason and has_jumped([loss for _, loss in self.losses]) and _jumps_stop():
            step, reason = self.losses[-1][0], f"the loss has jumped to {self.losses[-1][1]:.3f}"
        if reason:
            report = Path(args.output_dir or "") / REPORT
            write_csv([("step", "loss"), *self.losses], report)
            rate = state.log_history[-1].get("learning_rate") if state.log_history else None
            raise StageError(
                f"{reason} at step {step} of {state.max_steps} (learning rate {rate}). {report} has the losses before. "
                f"Lower learning_rate or raise warmup_ratio, and start again (RESUME=0)."
            )


def has_jumped(losses: list[float]) -> bool:
    """Whether the last ten losses stand out from the hundred before."""
    if len(losses) < RECENT + BEFORE:
        return False
    before, recent = losses[-(RECENT + BEFORE) : -RECENT], statistics.median(losses[-RECENT:])
    usual = statistics.median(before)
    deviation = statistics.median(abs(loss - usual) for loss in before)
    return recent > usual + max(0.5 * usual, 10 * deviation)


def _jumps_stop() -> bool:
    return os.environ.get("NINECHAPTERS_DIVERGENCE_GUARD") != "0"
