"""The place of a launch, or of a process, among those of one training: as torchrun's variables or Slurm's tell.

    place = place_here("pretrain llama")
    place.rank, place.size, place.num_processes        # 1, 2, 8: the second of two nodes, which starts 8 processes

A launch is one start of the stage: on each node, or for each GPU.
"""

import hashlib
import os
from dataclasses import dataclass

import torch

from stages.core.command import StageError
from stages.core.environment import count_in
from stages.core.slurm import task_here

TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
PORTS = range(20_000, 60_000)
HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class Place:
    """This launch among those of one training."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    has_one_gpu: bool = False  # it is one process of the training, not all those of its node
    address: str = "127.0.0.1"
    port: int = 0  # 0: any that is free
    has_store: bool = False  # torchrun keeps it
    run: str = ""  # the step of Slurm, which tells one training from another

    @property
    def num_processes(self) -> int:
        """The processes of the training that this launch starts."""
        told = count_in("NINECHAPTERS_PROCESSES")
        if self.has_one_gpu:
            if told not in (0, 1, self.local_size):
                raise StageError(
                    f"NINECHAPTERS_PROCESSES is {told}, but this stage was started {self.local_size} times on this "
                    f"node: start it once on each node, or {told} times."
                )
            return 1
        return told or torch.cuda.device_count() or 1

    def variables(self, local: int) -> dict[str, str]:
        """Of the `local`-th process that this launch starts, under torchrun's names."""
        each = self.num_processes
        told = {
            "RANK": self.rank * each + local, "WORLD_SIZE": self.size * each, "LOCAL_RANK": self.local_rank * each + local,
            "LOCAL_WORLD_SIZE": self.local_size * each, "MASTER_ADDR": self.address,
        }  # fmt: skip
        return {name: str(value) for name, value in told.items()}


def place_here(title: str = "") -> Place:
    """From torchrun's variables, or Slurm's where srun has started several tasks; else the one launch that there is.

    Trainings at once in one job meet at ports of their own: that of the step and the title.

    Raises:
        StageError: variables are missing, are no numbers, or contradict one another.
    """
    if count_in("WORLD_SIZE", 1) != 1:
        return _place_of_torchrun()
    task = task_here()
    if task is None:
        return Place()
    run = f"step {task.job}.{task.step}"
    address = os.environ.get("MASTER_ADDR") or task.hosts[0]
    return Place(
        task.rank, task.size, task.local_rank, task.local_size, task.shares_node, address, _port_of(run, title), run=run
    )  # fmt: skip


def _port_of(run: str, title: str) -> int:
    digest = hashlib.sha256(f"{run} {title}".encode()).digest()
    port = count_in("MASTER_PORT", PORTS[int.from_bytes(digest[:8]) % len(PORTS)])
    if not 0 < port <= HIGHEST_PORT:
        raise StageError(f"MASTER_PORT is {port}. Set it to a port from 1 to {HIGHEST_PORT}, or unset it.")
    return port


def _place_of_torchrun() -> Place:
    missing = [name for name in (*TORCHRUN, "LOCAL_RANK") if not os.environ.get(name)]
    if missing:
        raise StageError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Start the "
            f"stage with torchrun or srun, or unset WORLD_SIZE."
        )
    rank, size, local_rank = (count_in(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    if not 0 <= rank < size:
        raise StageError(f"RANK is {rank} and WORLD_SIZE {size}: it must be from 0 to {size - 1}.")
    local_size = count_in("LOCAL_WORLD_SIZE")
    shares_node = local_size != 1 or size > count_in("GROUP_WORLD_SIZE", size)  # on this node, or on another
    has_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    address = os.environ["MASTER_ADDR"]
    return Place(rank, size, local_rank, local_size or 1, shares_node, address, _port_of("", ""), has_store)
