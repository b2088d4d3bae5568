"""The processes of one training: which of them this is, and what they agree on.

    device = join()                          # of this process; once, before anything is computed
    if is_first(): ...
    answer = of_the_first(lambda: look())    # the same in all of them

RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT come from whatever started the processes: stages/training/launch.py,
torchrun or Ray. What they tell each other goes through CPUs (gloo): no GPU is waited for.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from stages.models.folders import use_device

Answer = TypeVar("Answer")
# A process waits so long for another, which may be reading or writing a large model on a slow disk.
PATIENCE = timedelta(hours=6)

_talk: Any = None  # the group of all processes on CPUs


def rank() -> int:
    return int(os.environ.get("RANK", 0))


def num_processes() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def is_first() -> bool:
    """Whether this process says, writes and decides for all."""
    return rank() == 0


def join() -> torch.device:
    """The device that this process computes on; where there are several, it has joined their group."""
    global _talk
    device = use_device()
    if num_processes() == 1:
        return device
    if device.type == "cuda":
        device = torch.device(
            "cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()
        )  # Slurm may show one
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    _talk = dist.new_group(backend="gloo", timeout=PATIENCE)
    return device


def talk() -> Any:
    """The processes' group on CPUs; None for one process."""
    return _talk if num_processes() > 1 else None


def of_the_first(compute: Callable[[], Answer]) -> Answer:
    """What the first process computes, in all of them, which wait for it."""
    told = [compute() if is_first() else None]
    if num_processes() > 1:
        dist.broadcast_object_list(told, src=0, group=talk())
    return told[0]  # type: ignore[return-value]


def of_all(value: Answer) -> list[Answer]:
    """The values of all processes, by rank, in each of them."""
    told: list[Any] = [value]
    if num_processes() > 1:
        told = [None] * num_processes()
        dist.all_gather_object(told, value, group=talk())
    return told


def highest(number: int) -> int:
    """The highest of the processes' numbers, in all of them."""
    told = torch.tensor([number])
    if num_processes() > 1:
        dist.all_reduce(told, dist.ReduceOp.MAX, group=talk())
    return int(told.item())
