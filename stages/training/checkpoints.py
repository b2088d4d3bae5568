"""When a run saves a checkpoint, and from which one it goes on: only whole ones count.

A checkpoint is whole when its marker is there, which is written last; older ones are deleted only then. So a run that is
killed at any moment, in the middle of saving too, has one whole checkpoint or starts anew.
"""

import os
import shutil
import time
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.interruption import is_interrupted

CHECKPOINT_SECONDS = 120.0
MARKER = "whole"


class Checkpoints(TrainerCallback):
    """Saves every two minutes (`NINECHAPTERS_CHECKPOINT_SECONDS`), at steps whose mean loss is logged, so that a resumed run
    draws the same curve; and at the next such step after an interrupt, which then ends the run."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.every = float(os.environ.get("NINECHAPTERS_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if state.global_step % args.logging_steps or state.global_step >= state.max_steps:
            return
        is_time = is_interrupted() or time.monotonic() - self.last > self.every
        if _first_process_says(is_time, args.device):
            control.should_save = True
            self.last = time.monotonic()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            saved = Path(args.output_dir or "") / f"checkpoint-{state.global_step}"
            (saved / MARKER).touch()
            for other in set(checkpoints_in(saved.parent)) - {saved}:
                shutil.rmtree(other)
        if is_interrupted():
            raise KeyboardInterrupt


def checkpoints_in(work: Path) -> list[Path]:
    return sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))


def last_checkpoint(work: Path) -> Path | None:
    """The last whole checkpoint in a work folder."""
    whole = [path for path in checkpoints_in(work) if (path / MARKER).exists()]
    return whole[-1] if whole else None


def kept_text(work: Path) -> str:
    """What an interrupted training leaves in its work folder: its last whole checkpoint, or the tokens alone."""
    checkpoint = last_checkpoint(work)
    if checkpoint is None:
        return f"there is no checkpoint yet, only its tokens are kept in {work}"
    return f"the checkpoint at step {int(checkpoint.name.rpartition('-')[2]):,} is kept in {work}"


def _first_process_says(answer: bool, device: torch.device) -> bool:
    """The first process's answer, in all of them: their clocks differ, and a checkpoint is saved by all."""
    if not torch.distributed.is_initialized():
        return answer
    told = torch.tensor([answer], dtype=torch.uint8, device=device)
    torch.distributed.broadcast(told, 0)
    return bool(told.item())
