"""When a run saves a checkpoint, and from which one it goes on: only whole ones count.

A checkpoint is whole when it is sealed (seal.py); older ones are deleted only then. So a run that is killed at any moment, in
the middle of saving too, has one whole checkpoint or starts anew. One that was damaged since is refused.

Saving takes a fiftieth of the time at most: it is measured, and the next checkpoint waits so much longer. Ctrl-C, SIGTERM and SIGUSR1,
or a file `stop` in the work folder, have one saved at the end of the step, which ends the run in all its processes: none of them ends
before it is sealed, as srun and the stage end the others then.
"""

import shutil
import time
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.environment import amount_in
from stages.core.interruption import is_interrupted
from stages.training.process_group import highest, is_first
from stages.training.seal import is_sealed, write_seal

CHECKPOINT_SECONDS = 120.0
SHARE = 0.02  # of the time, for saving
FIRST_RATE = 1e9  # bytes a second of a disk, until it is measured
SAVED_BYTES = 12  # of a trained parameter: itself and AdamW's two moments, in float32
STOP = "stop"  # asks for a checkpoint, and the end
STOPPED = "stopped"  # a process was interrupted; others that fail do so for want of it
GO_ON, SAVE, SAVE_AND_STOP = range(3)


class Checkpoints(TrainerCallback):
    """Saves every two minutes (`NINECHAPTERS_CHECKPOINT_SECONDS`; 0: after every step), or less often where that takes too long.

    `num_bytes`: what this process writes, as far as is known before.
    """

    def __init__(self, work: Path, num_bytes: float = 0.0) -> None:
        self.stop = work / STOP
        self.every = amount_in("NINECHAPTERS_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS)
        self.seconds = num_bytes / FIRST_RATE  # that the last one took
        self.last = self.began = time.monotonic()
        self.is_stopping = False

    @property
    def interval(self) -> float:
        """Seconds from the end of one to the begin of the next."""
        return max(self.every, self.seconds * (1 - SHARE) / SHARE) if self.every else 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        wish = self._wish(is_last=state.global_step >= state.max_steps)
        agreed = highest(wish)
        if agreed != GO_ON:
            control.should_save = True
            self.began = time.monotonic()
        self.is_stopping = agreed == SAVE_AND_STOP

    def _wish(self, is_last: bool) -> int:
        """What this process wants; the first alone looks at its clock and for the file."""
        if is_interrupted() or (is_first() and self.stop.exists()):
            return SAVE_AND_STOP
        is_due = is_first() and not is_last and time.monotonic() - self.last >= self.interval
        return SAVE if is_due else GO_ON

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        highest(0)  # all have written their part
        if is_first():
            saved = Path(args.output_dir or "") / f"checkpoint-{state.global_step}"
            write_seal(saved)
            for other in set(checkpoints_in(saved.parent)) - {saved}:
                shutil.rmtree(other)
        if self.is_stopping:
            highest(0)  # it is sealed
        self.last = time.monotonic()
        self.seconds = self.last - self.began
        if self.is_stopping:
            raise KeyboardInterrupt


def written_bytes(model: torch.nn.Module) -> int:
    """About what a checkpoint of the model takes on the disk."""
    return SAVED_BYTES * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def checkpoints_in(work: Path) -> list[Path]:
    return sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))


def last_checkpoint(work: Path) -> Path | None:
    """The last whole checkpoint in a work folder."""
    whole = [path for path in checkpoints_in(work) if is_sealed(path)]
    return whole[-1] if whole else None


def checkpoint_to_continue(work: Path) -> Path | None:
    """The last whole checkpoint; what was not finished is deleted, as the same step's files would be mixed with it."""
    for path in checkpoints_in(work):
        if not is_sealed(path):
            shutil.rmtree(path)
    return last_checkpoint(work)


def kept_text(work: Path) -> str:
    """What an interrupted training leaves in its work folder: its last whole checkpoint, or the tokens alone."""
    checkpoint = last_checkpoint(work)
    if checkpoint is None:
        return f"there is no checkpoint yet; its tokens are kept in {work}"
    return f"the checkpoint at step {int(checkpoint.name.rpartition('-')[2]):,} is kept in {work}"
