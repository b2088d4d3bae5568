"""The runner of shards: numbers in, each shard's bytes out, as they are ready, wherever there is room.

    for number, content in made_shards(job, missing, places=["0", "1"]): write_bytes(content, path(number))

With `RAY_ADDRESS` set actors of that Ray cluster make them (Ray Data), one for each GPU or for some CPUs; a shard whose node is lost
is made by another. Else a process for each place, the one owner of its GPUs; where there is one place alone, this process. A shard's bytes depend on the job
and its number alone.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from stages.core.cluster import actors_for, connect, sentence_of
from stages.core.command import StageError
from stages.core.devices import take
from stages.core.interruption import same_command
from stages.core.parallel import end_with_parent

MakeShard = Callable[[int], bytes]
Result = TypeVar("Result")
Steps = Generator[None, None, Result]  # work that yields where it waits for something that goes on without it
IN_TURNS = 2  # shards at once for what fills one shard's devices: while the one waits, the other works


class ShardJob(Protocol):
    """What decides the shards' bytes; it is pickled on its way to other processes."""

    def worker(self) -> MakeShard:
        """Load what is needed, once for each worker, on the device that its process sees."""


def made_shards(
    job: ShardJob, numbers: Sequence[int], places: Sequence[str] = ("",), *, cpus: int = 1, gpus: int = 1
) -> Iterator[tuple[int, bytes]]:
    """The numbers and bytes of the shards; `cpus` or `gpus` are what one worker takes of a cluster's node."""
    if not numbers:
        return
    if os.environ.get("RAY_ADDRESS"):
        yield from _made_by_cluster(job, numbers, cpus, gpus)
    elif len(places) > 1:
        yield from made_by_processes(job, numbers, places)
    else:
        yield from made_here(job, numbers)


def made_here(job: ShardJob, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    make = job.worker()
    for number in numbers:
        yield number, make(number)


_num_going = 1


def shards_going() -> int:
    """How many shards this process makes in turns now: each has its share of the devices."""
    return _num_going


def made_in_steps(
    begin: Callable[[int], Steps[bytes]], numbers: Sequence[int], at_once: int = IN_TURNS
) -> Iterator[tuple[int, bytes]]:
    """Make shards here, some in turns: while what the one waits for goes on, another works. Each comes as it is done."""
    global _num_going
    waiting, going = deque(numbers), deque[tuple[int, Steps[bytes]]]()
    try:
        while waiting or going:
            _num_going = min(at_once, len(waiting) + len(going))
            if waiting and len(going) < at_once:
                number = waiting.popleft()
                going.append((number, begin(number)))
                going.rotate(1)  # it begins before the others go on
            try:
                next(going[0][1])
                going.rotate(-1)
            except StopIteration as end:
                yield going.popleft()[0], end.value
    finally:
        _num_going = 1
        for _, steps in going:
            steps.close()


def finished(steps: Steps[Result]) -> Result:
    """Do all the steps, waiting at each."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def made_by_processes(job: ShardJob, numbers: Sequence[int], places: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """By one process for each place, which ends with this one."""
    context = get_context("spawn")  # a GPU's driver does not outlive a fork
    free = context.Queue()
    for place in places:
        free.put(place)
    with ProcessPoolExecutor(len(places), context, initializer=_start, initargs=(job, free)) as pool:
        futures = [pool.submit(_make, number) for number in numbers]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise StageError(
                f"a worker process on one of {', '.join(filter(None, places))} ended without a message: the system may "
                f"have killed it for its memory (see `dmesg`). Finished work is kept: run {same_command()} to continue."
            ) from error
        finally:  # where one failed, the others need not begin
            for future in futures:
                future.cancel()


_make_shard: MakeShard | None = None  # of a worker process


def _start(job: ShardJob, free: Any) -> None:
    global _make_shard
    end_with_parent()
    take(free.get())
    _make_shard = job.worker()


def _make(number: int) -> tuple[int, bytes]:
    assert _make_shard is not None
    return number, _make_shard(number)


class ShardActor:
    """A Ray Data actor in the project's folder: takes rows {"number": n}, gives them back with the shard's bytes, or with the sentence
    of an error: Ray heals lost nodes, and would try again what no retry heals."""

    def __init__(self, job: ShardJob, root: str) -> None:
        os.chdir(root)  # which all nodes share; the job's paths, the prompts and the memory of programs are in it
        os.environ["NINECHAPTERS_WORKERS"] = "1"
        self.error = ""
        try:
            self.make = job.worker()
        except Exception as error:  # noqa: BLE001  # raised by the stage
            self.error = sentence_of(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        numbers = [int(number) for number in batch["number"]]
        contents: list[bytes] = []
        for number in numbers:
            try:
                contents.append(b"" if self.error else self.make(number))
            except Exception as error:  # noqa: BLE001  # raised by the stage
                self.error = sentence_of(error)
                contents.append(b"")
        return {"number": numbers, "content": contents, "error": [self.error] * len(numbers)}


def _made_by_cluster(job: ShardJob, numbers: Sequence[int], cpus: int, gpus: int) -> Iterator[tuple[int, bytes]]:
    ray = connect()
    actors, cost = actors_for(ray, len(numbers), cpus, gpus)
    rows = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
    made = rows.map_batches(
        ShardActor, fn_constructor_args=[job, os.getcwd()], batch_size=1, concurrency=(1, actors), **cost
    )
    for row in made.iter_rows():
        if row["error"]:
            raise StageError(row["error"])
        yield int(row["number"]), row["content"]
