"""An optimizer's state by parameter names, in a model folder, so that fine-tuning can go on where pre-training ended.

    models/pretrained/llama/optimizer/state-00001.safetensors, ...
        {"model.layers.0.mlp.up_proj.weight.exp_avg": ..., "....exp_avg_sq": ..., "....step": ...}

It lies in a folder of its own: engines take every safetensors file beside the config for weights. A file has 4 GB or little more, so
that no process ever holds the whole state of a large model.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.command import StageError
from stages.training.packed_trainer import PackedTrainer
from stages.training.process_group import is_first, of_the_first
from stages.training.sharding import whole
from stages.training.spread_state import owned_parameters, send_state

FOLDER = "optimizer"
OLD_FILE = "optimizer.safetensors"  # where it lay before
FILE_BYTES = 4 << 30


def save_optimizer_state(trainer: PackedTrainer, folder: Path) -> None:
    """Write the state to the folder. Every process takes part where the model is sharded; the first alone keeps and writes."""
    tensors: dict[str, torch.Tensor] = {}
    num_files = 0
    for name, parameter, part in owned_parameters(trainer.model, trainer.optimizer):
        for key, value in part.state[parameter].items():
            full = whole(torch.as_tensor(value))
            if is_first():
                tensors[f"{name}.{key}"] = full.detach().cpu().contiguous()
        if sum(tensor.nbytes for tensor in tensors.values()) >= FILE_BYTES:
            num_files += 1
            save_file(tensors, folder / f"state-{num_files:05d}.safetensors")
            tensors = {}
    if tensors:
        save_file(tensors, folder / f"state-{num_files + 1:05d}.safetensors")


def state_files(folder: Path) -> list[Path]:
    """The files of the state that a model folder has; none where it has no state."""
    return sorted((folder / FOLDER).glob("*.safetensors")) or [path for path in [folder / OLD_FILE] if path.exists()]


class ContinuedOptimizer(TrainerCallback):
    """Gives the optimizer the state saved in `folder` before the first step; the first process reads it for all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, optimizer: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        if state.global_step:
            return  # it came with the checkpoint
        names = [name for name, _, _ in owned_parameters(model, optimizer)]
        states = StoredStates(self.folder) if is_first() else None
        lacking = of_the_first(lambda: next((name for name in names if name not in (states or {})), ""))
        if lacking:
            raise StageError(
                f"{state_files(self.folder)[0]} has no state of {lacking}: another optimizer saved it. "
                f"Use the same `optimizer` in pretrain and finetune, or set continue_optimizer to false."
            )
        send_state(model, optimizer, states)


class StoredStates(Mapping[str, dict[str, torch.Tensor]]):
    """The state in a model folder, by parameter; each is read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, dict[str, Path]] = {}
        for path in state_files(folder):
            with safe_open(path, "pt") as file:
                for full_name in file.keys():  # noqa: SIM118  (no dictionary)
                    name, _, key = full_name.rpartition(".")
                    self.files.setdefault(name, {})[key] = path

    def __getitem__(self, name: str) -> dict[str, torch.Tensor]:
        state = {}
        for key, path in self.files[name].items():
            with safe_open(path, "pt") as file:
                state[key] = file.get_tensor(f"{name}.{key}")
        return state

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)
