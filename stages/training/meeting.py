"""Where the launches of one training meet: this process alone, or one on each node or GPU, started by srun or torchrun.

    meeting = meeting_here()
    if meeting: meeting.tell_job(title, path) if meeting.is_first else meeting.told_job(title)    # waits until it is told

The first prepares the work on the file system that all share, and tells the others over a socket which job it is: no file is waited for
that an earlier run may have left. The processes of the training then meet at the same place.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import torch
from torch.distributed import DistError, TCPStore

from stages.core.command import StageError
from stages.core.slurm import task_here

TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
PORTS = range(20_000, 60_000)
CONNECT_SECONDS = 1800.0  # for the first to start, on the slowest file system
VISIBLE_SECONDS = 180.0  # for a file of another node: a directory is cached for a minute, and clocks differ
PREPARED = timedelta(days=7)  # while the first one tokenizes
PARTING = timedelta(seconds=60)
FAILED = "ninechapters/failed"


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

    @property
    def num_processes(self) -> int:
        """The processes of the training that this launch starts."""
        told = int(os.environ.get("NINECHAPTERS_PROCESSES", 0))
        if self.has_one_gpu:
            if told and told != self.local_size:
                raise StageError(
                    f"NINECHAPTERS_PROCESSES is {told}, and this stage was started {self.local_size} times on this node: start it once on each "
                    f"node, or {told} times."
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


def place_here() -> Place:
    """From torchrun's variables, or Slurm's where srun has started several tasks; else the one launch that there is.

    Raises:
        StageError: variables are missing or contradict one another.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        return _place_of_torchrun()
    task = task_here()
    if task is None:
        return Place()
    address = os.environ.get("MASTER_ADDR") or task.hosts[0]
    port = int(os.environ.get("MASTER_PORT") or PORTS[task.job % len(PORTS)])
    return Place(task.rank, task.size, task.local_rank, task.local_size, task.local_size > 1, address, port)


def _place_of_torchrun() -> Place:
    missing = [name for name in (*TORCHRUN, "LOCAL_RANK") if name not in os.environ]
    if missing:
        raise StageError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Start the "
            f"stage with torchrun or srun, or unset WORLD_SIZE."
        )
    try:
        rank, size, local_rank, port = (int(os.environ[n]) for n in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"))
        local_size = int(os.environ.get("LOCAL_WORLD_SIZE", 0))
    except ValueError as error:
        raise StageError(f"torchrun's variables should be numbers: {error}.") from error
    if not 0 <= rank < size:
        raise StageError(f"RANK is {rank} and WORLD_SIZE {size}: it must be from 0 to {size - 1}.")
    has_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    address = os.environ["MASTER_ADDR"]
    return Place(rank, size, local_rank, local_size or 1, local_size != 1, address, port, has_store)


def task_variables() -> dict[str, str]:
    """torchrun's variables of this process where srun has started it as one of a training's; else none."""
    task = task_here()
    if task is None:
        return {}
    place = replace(place_here(), has_one_gpu=True)
    return {**place.variables(0), "MASTER_PORT": str(place.port)}


class Meeting:
    """The place, and the store that the launches share."""

    def __init__(self, place: Place) -> None:
        self.place = place
        owns = self.is_first and not place.has_store
        try:
            self.store = TCPStore(
                place.address,
                place.port,
                is_master=owns,
                wait_for_workers=False,
                timeout=timedelta(seconds=CONNECT_SECONDS),
            )
        except (DistError, RuntimeError) as error:
            where = f"{place.address}:{place.port}"
            what = "cannot be opened" if owns else f"was not open within {CONNECT_SECONDS / 60:.0f} minutes"
            raise StageError(
                f"the processes of the training meet at {where}, which {what}: {error}. Set MASTER_ADDR to a name of the first node that the "
                f"others reach, and MASTER_PORT to a port that is free there."
            ) from error

    @property
    def is_first(self) -> bool:
        return self.place.rank == 0

    def variables(self, local: int) -> dict[str, str]:
        """Of a process that this launch starts; the store is there, and none of them opens another."""
        store = {"MASTER_PORT": str(self.store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
        return {"TORCHELASTIC_RESTART_COUNT": "0", **os.environ, **self.place.variables(local), **store}

    def tell_job(self, title: str, path: Path) -> None:
        told = {"path": str(path), "sha256": _hash(path), "processes": self.place.num_processes}
        self.store.set(_key(title), json.dumps(told))

    def tell_failure(self) -> None:
        """Let the other launches end, too: their processes would wait for those of this one."""
        with suppress(DistError, RuntimeError):  # the first launch is gone
            self.store.set(FAILED, str(self.place.rank))

    def has_failed(self) -> bool:
        """Whether another launch has failed, or the first one, which holds the store, is gone."""
        if self.place.size == 1:
            return False
        try:
            return self.store.check([FAILED])
        except (DistError, RuntimeError):
            return True

    def part(self, title: str) -> None:
        """All is done: the first one, which holds the store, goes last."""
        keys = [f"{_key(title)}/{rank}" for rank in range(1, self.place.size)]
        with suppress(DistError, RuntimeError):
            if self.is_first:
                self.store.wait(keys, PARTING)
            else:
                self.store.set(keys[self.place.rank - 1], "done")

    def told_job(self, title: str) -> Path:
        """The file of the job, once it is told and seen here.

        Raises:
            StageError: the first launch has ended, or its files are not seen here, or it has another number of processes.
        """
        try:
            return self._told_job(title)
        except StageError:
            self.tell_failure()  # the others would wait for this one
            raise

    def _told_job(self, title: str) -> Path:
        try:
            self.store.wait([_key(title)], PREPARED)
            told = json.loads(self.store.get(_key(title)))
        except (DistError, RuntimeError) as error:
            raise StageError(
                f"{title}: the first launch ended before it could tell what to train; its message stands in its own log."
            ) from error
        if told["processes"] != self.place.num_processes:
            raise StageError(
                f"{title}: the first launch starts {told['processes']} processes, this one {self.place.num_processes}. Give each node the same "
                f"number of GPUs, or set NINECHAPTERS_PROCESSES."
            )
        path = Path(told["path"])
        wait_for_file(path, told["sha256"])
        return path


def meeting_here() -> Meeting | None:
    """None where this is the only launch."""
    place = place_here()
    return Meeting(place) if place.size > 1 else None


def wait_for_file(path: Path, sha256: str, seconds: float = VISIBLE_SECONDS) -> None:
    """Wait until a file that another node has written is seen with its content here: network file systems cache what they know.

    Raises:
        StageError: it is not; the folder is none that the nodes share.
    """
    end = time.monotonic() + seconds
    while not (path.is_file() and _hash(path) == sha256):
        if time.monotonic() > end:
            raise StageError(
                f"{path.absolute()} of the first node is not seen here after {seconds:.0f} s. Start the stage on all nodes in the same folder of a "
                f"file system that they share."
            )
        if path.parent.is_dir():
            os.listdir(path.parent)  # has the names asked for anew
        time.sleep(min(1.0, seconds / 10))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(title: str) -> str:
    return f"ninechapters/{title}"
