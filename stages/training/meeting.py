"""Where the launches of one training meet: this process alone, or one on each node or GPU, started by srun or torchrun.

    meeting = meeting_here("pretrain llama")
    if meeting: meeting.tell_job(title, path) if meeting.is_first else meeting.told_job(title)    # waits until it is told

The first prepares the work on the file system that all share, and tells the others over a socket which job it is: no file is waited for
that an earlier run may have left. The processes of the training then meet at the same place. Whose place it is is said first: two
trainings that were given one port do not mix.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from torch.distributed import DistError, TCPStore

from stages.core.command import StageError
from stages.core.slurm import task_here
from stages.training.place import Place, place_here

CONNECT_SECONDS = 1800.0  # for the first to start, on the slowest file system
VISIBLE_SECONDS = 180.0  # for a file of another node: a directory is cached for a minute, and clocks differ
PREPARED = timedelta(days=7)  # while the first one tokenizes
PARTING = timedelta(seconds=60)
OWN_SECONDS = 30.0  # for the first to say whose place it is, and for a training that ends to leave it
WHOSE, FAILED = "ninechapters/whose", "ninechapters/failed"


class Meeting:
    """The place, and the store that the launches share."""

    def __init__(self, place: Place, title: str = "") -> None:
        self.place = place
        whose = f"{title or 'a training'}{f' of {place.run}' if place.run else ''}"
        self.store = self._opened()
        if place.size > 1 and not place.has_store:  # torchrun's own is of one training
            if self.is_first:
                self.store.set(WHOSE, whose)
            else:
                self._find(whose)

    def _opened(self) -> TCPStore:
        place, owns = self.place, self.is_first and not self.place.has_store
        try:
            return TCPStore(
                place.address,
                place.port,
                is_master=owns,
                wait_for_workers=False,
                timeout=timedelta(seconds=CONNECT_SECONDS),
            )
        except (DistError, RuntimeError) as error:
            what = "cannot be opened" if owns else f"was not open within {CONNECT_SECONDS / 60:.0f} minutes"
            raise StageError(
                f"the processes of the training meet at {self._where}, which {what}: {error}. Set MASTER_ADDR to the name "
                f"of the first node, as the others reach it, and MASTER_PORT to a free port there."
            ) from error

    @property
    def _where(self) -> str:
        return f"{self.place.address}:{self.place.port}"

    def _find(self, whose: str) -> None:
        """Join the first launch of this training; another training may just be leaving the place."""
        end = time.monotonic() + OWN_SECONDS
        while (found := self._whose()) != whose:
            if time.monotonic() > end:
                raise StageError(
                    f"{whose}: its processes cannot meet at {self._where}: {found or 'something else'} is there already. "
                    f"Give each of several concurrent trainings its own MASTER_PORT, or unset it; or run them one after another."
                )
            time.sleep(min(1.0, OWN_SECONDS / 10))
            self.store = self._opened()

    def _whose(self) -> str:
        try:
            self.store.wait([WHOSE], timedelta(seconds=OWN_SECONDS))
            return self.store.get(WHOSE).decode()
        except (DistError, RuntimeError):
            return ""

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
                f"{title}: the first launch ended before it said what to train; its log has the message."
            ) from error
        if told["processes"] != self.place.num_processes:
            raise StageError(
                f"{title}: the first launch starts {told['processes']} processes, this one {self.place.num_processes}. Give each node the same "
                f"number of GPUs, or set NINECHAPTERS_PROCESSES."
            )
        path = Path(told["path"])
        wait_for_file(path, told["sha256"])
        return path


def meeting_here(title: str) -> Meeting | None:
    """None where this is the only launch."""
    place = place_here(title)
    return Meeting(place, title) if place.size > 1 else None


def task_meeting(title: str) -> Meeting | None:
    """Of this process where srun has started it as one of the training's; else none."""
    return Meeting(replace(place_here(title), has_one_gpu=True), title) if task_here() else None


def wait_for_file(path: Path, sha256: str, seconds: float = VISIBLE_SECONDS) -> None:
    """Wait until a file that another node has written is seen with its content here: network file systems cache what they know.

    Raises:
        StageError: it is not; the folder is none that the nodes share.
    """
    end = time.monotonic() + seconds
    while not (path.is_file() and _hash(path) == sha256):
        if time.monotonic() > end:
            raise StageError(
                f"{path.absolute()} of the first node is not visible here after {seconds:.0f} s. Start the stage on all "
                f"nodes in the same folder of a shared file system."
            )
        if path.parent.is_dir():
            os.listdir(path.parent)  # has the names asked for anew
        time.sleep(min(1.0, seconds / 10))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(title: str) -> str:
    return f"ninechapters/{title}"
