"""An optimizer's state by parameter names, in one safetensors file, so that fine-tuning can go on where pre-training ended.

{"model.layers.0.mlp.up_proj.weight.exp_avg": ..., "....exp_avg_sq": ..., "....step": ...}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.command import StageError

OPTIMIZER_STATE = "optimizer.safetensors"


def save_optimizer_state(trainer: Trainer, folder: Path) -> None:
    """Write the state beside the weights. Every process takes part where the model is sharded; the first writes."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    tensors = {}
    for name, parameter, part in _parameters(model, trainer.optimizer):
        for key, value in part.state[parameter].items():
            tensor = torch.as_tensor(value)
            whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
            tensors[f"{name}.{key}"] = whole.detach().cpu().contiguous()
    if trainer.is_world_process_zero():
        save_file(tensors, folder / OPTIMIZER_STATE)


class ContinuedOptimizer(TrainerCallback):
    """Gives the optimizer the state saved in `folder` before the first step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, optimizer: Any = None, **_: Any,
    ) -> None:  # fmt: skip
        if state.global_step:
            return  # it came with the checkpoint
        saved = load_file(self.folder / OPTIMIZER_STATE)
        for name, parameter, part in _parameters(getattr(model, "module", model), optimizer):
            found = {key.removeprefix(f"{name}."): value for key, value in saved.items() if key.startswith(f"{name}.")}
            if not found:
                raise StageError(
                    f"{self.folder / OPTIMIZER_STATE} has no state of {name}: it was saved by another optimizer. "
                    f"Use the same `optimizer` in pretrain and finetune, or set continue_optimizer to false."
                )
            part.state[parameter] = {key: _placed(key, value, parameter) for key, value in found.items()}


def _placed(key: str, value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    if key == "step":
        return value
    if isinstance(parameter, DTensor):
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
    return value.to(parameter.device)


def _parameters(model: torch.nn.Module, optimizer: Any) -> Iterator[tuple[str, torch.nn.Parameter, Optimizer]]:
    """Each trained parameter with its name and the optimizer that holds its state."""
    inner = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps the optimizer
    owner = {
        id(parameter): part
        for part in getattr(inner, "parts", [inner])
        for group in part.param_groups
        for parameter in group["params"]
    }
    for name, parameter in model.named_parameters():
        if id(parameter) in owner:
            yield name, parameter, owner[id(parameter)]
