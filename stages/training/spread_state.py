"""Trained weights and the optimizer's state of several processes: in a checkpoint's folder, and from the first to all.

    save_parts(model, optimizer, checkpoint)     # each process writes its part at once (torch.distributed.checkpoint)
    load_parts(model, optimizer, checkpoint)     # and reads no more than that, on any number of processes

Where the model is not sharded, the first process reads for all: `send_state`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as distributed_checkpoint
from torch.optim import Optimizer

from stages.training.process_group import of_the_first, talk
from stages.training.sharding import part_of_first

PARTS = "parts"
MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's


def owned_parameters(model: torch.nn.Module, optimizer: Any) -> Iterator[tuple[str, torch.nn.Parameter, Optimizer]]:
    """Each trained parameter with its name and the optimizer that holds its state."""
    inner = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps the optimizer
    owner = {
        id(parameter): part
        for part in getattr(inner, "parts", [inner])
        for group in part.param_groups
        for parameter in group["params"]
    }
    for name, parameter in getattr(
        model, "module", model
    ).named_parameters():  # DistributedDataParallel wraps the model
        if id(parameter) in owner:
            yield name, parameter, owner[id(parameter)]


def save_parts(model: torch.nn.Module, optimizer: Any, checkpoint: Path) -> None:
    """Save what of a sharded model is trained, and AdamW's state of it; every process writes what it holds."""
    distributed_checkpoint.save(
        _parts(model, optimizer), checkpoint_id=checkpoint / PARTS, process_group=talk(), use_collectives=True
    )


def load_parts(model: torch.nn.Module, optimizer: Any, checkpoint: Path) -> None:
    """Load them into a model and an optimizer that are sharded over any number of processes."""
    for _, parameter, part in owned_parameters(model, optimizer):
        part.state[parameter] = {"step": torch.tensor(0.0), **{key: torch.zeros_like(parameter) for key in MOMENTS}}
    with torch.no_grad():
        distributed_checkpoint.load(_parts(model, optimizer), checkpoint_id=checkpoint / PARTS, process_group=talk())


def _parts(model: torch.nn.Module, optimizer: Any) -> dict[str, torch.Tensor]:
    return {
        name: tensor.detach()
        for parameter_name, parameter, part in owned_parameters(model, optimizer)
        for name, tensor in [
            (parameter_name, parameter),
            *((f"{parameter_name}.{key}", value) for key, value in part.state[parameter].items()),
        ]
    }


def send_state(
    model: torch.nn.Module, optimizer: Any, states: Mapping[str, Mapping[str, torch.Tensor]] | None
) -> None:  # fmt: skip
    """Give the optimizers of all processes the first one's states by parameter, each its part; the others give None.

    AdamW's `step` is a number on the CPU in all.
    """
    shapes = of_the_first(lambda: {name: _told(state) for name, state in (states or {}).items()})
    for name, parameter, part in owned_parameters(model, optimizer):
        mine: dict[str, Any] = dict(states[name]) if states else {}
        part.state[parameter] = {
            key: told if key == "step" else part_of_first(mine.get(key), told[0], told[1], parameter)
            for key, told in shapes[name].items()
        }


def _told(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {key: value if key == "step" else (value.shape, value.dtype) for key, value in state.items()}
