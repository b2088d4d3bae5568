"""Worker processes for an engine, one for each place: it alone holds the place's GPUs, from its first job to its end.

    owners = owners_of(places, TransformersEngine, folder)
    batch = owners.submit(prompts, sampling, bad)        # several may be under way; they are worked off in this order
    for number in owners.completed([batch]): ...   # then `batch.in_order()`

This process holds no GPU, and drives its workers with no thread of its own. A worker that dies is replaced: what it had in hand is
run once more, then cut into halves until the prompt that kills stands alone. The engine is kept for the next call; for another
one the workers of GPUs end first, so that all of the memory is given back.
"""

import atexit
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.devices import take
from stages.core.parallel import end_with_parent
from stages.generation.bad_prompts import BadPrompts, broken
from stages.generation.interface import Engine, Generated, Prompt, Sampling

MakeEngine = Callable[[Path], Engine]
Work = Callable[[MakeEngine, Path, list[Prompt], Sampling], tuple[list[Generated], list[str]]]
END_SECONDS = 60.0  # for an engine to give its memory back by itself
MAX_DEATHS = 16  # one after the other, with nothing done between: no prompt, but the machine


@dataclass
class Batch:
    """Prompts that wait, or are under way, and the outputs that have come."""

    prompts: list[Prompt]
    sampling: Sampling
    bad: BadPrompts
    outputs: dict[int, Generated] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return len(self.outputs) == len(self.prompts)

    def in_order(self) -> list[Generated]:
        return [self.outputs[place] for place in range(len(self.prompts))]


@dataclass
class Piece:
    """Some prompts of a batch, as one worker gets them."""

    batch: Batch
    places: list[int]
    is_suspect: bool = False  # a worker has died of it, or of chance


def start_method(place: str) -> str:
    """Forked on CPUs, where importing torch anew takes seconds; a GPU's driver and Ray's threads do not outlive a fork."""
    ray: Any = sys.modules.get("ray")
    return "spawn" if place or (ray and ray.is_initialized()) else "fork"


class Owner:
    """One worker process, started with its first piece."""

    def __init__(self, place: str, work: Work) -> None:
        self.place, self.work = place, work
        self.piece: Piece | None = None
        self.process: Any = None

    def give(self, piece: Piece, make: MakeEngine, folder: Path) -> None:
        if self.process is None:
            self._start()
        self.piece = piece
        asked = [piece.batch.prompts[place] for place in piece.places]
        self.connection.send((make, folder, asked, piece.batch.sampling))

    def answer(self) -> Any:
        """What the worker sends: outputs and errors, or an exception.

        Raises:
            EOFError: it has died.
        """
        try:
            return self.connection.recv()
        except (ConnectionError, OSError) as error:
            raise EOFError from error

    def _start(self) -> None:
        context: Any = multiprocessing.get_context(start_method(self.place))
        self.connection, theirs = context.Pipe()
        # No daemon: engines have processes of their own.
        self.process = context.Process(target=_serve, args=(theirs, self.place, self.work))
        self.process.start()
        theirs.close()

    def end(self, has_time: bool = True) -> None:
        """End the process and its own; where it has time, it gives the engine's memory back itself."""
        if self.process is None:
            return
        if has_time and self.piece is None:
            try:
                self.connection.send(None)
                self.process.join(END_SECONDS)
            except (ConnectionError, OSError):  # it has died
                pass
        self._kill()
        self.process.join()
        self.connection.close()
        self.process, self.piece = None, None

    def _kill(self) -> None:
        if self.place:
            with suppress(ProcessLookupError):  # it is gone, with its group, or has not yet made one
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


class Owners:
    """The workers of all places, for one engine of one model."""

    def __init__(self, places: list[str], make: MakeEngine, folder: Path, work: Work) -> None:
        self.make, self.folder, self.num_deaths = make, folder, 0
        self.owners = [Owner(place, work) for place in places]
        self.waiting: deque[Piece] = deque()

    def submit(self, prompts: list[Prompt], sampling: Sampling, bad: BadPrompts) -> Batch:
        """Let the prompts be run as one piece, after those that came before."""
        batch = Batch(prompts, sampling, bad)
        if prompts:
            self.waiting.append(Piece(batch, list(range(len(prompts)))))
        self._feed()
        return batch

    def completed(
        self, batches: list[Batch], beat: Callable[[], None] = lambda: None, seconds: float = 2.0
    ) -> Iterator[int]:
        """The numbers of these batches, as they are done; what else comes meanwhile is taken, too. `beat` is called while they
        are waited for, after so many seconds at most."""
        left = dict(enumerate(batches))
        try:
            while left:
                for number in [number for number, batch in left.items() if batch.is_done]:
                    del left[number]
                    yield number
                if left:
                    self._take(seconds)
                    beat()
        except BaseException:  # nothing may go on with a GPU, whatever ends this
            self.end(has_time=False)
            raise

    def _feed(self) -> None:
        for owner in self.owners:
            if owner.piece is None and self.waiting:
                try:
                    owner.give(self.waiting.popleft(), self.make, self.folder)
                except (ConnectionError, OSError):  # it has died since its last piece
                    self._bury(owner)

    def _take(self, seconds: float) -> None:
        """Take what comes within some seconds, and feed those that are free."""
        busy = {owner.connection: owner for owner in self.owners if owner.piece}
        assert busy, "a batch waits for workers that were ended"
        for connection in wait(list(busy), seconds):
            owner = busy[connection]  # type: ignore[index]
            try:
                answer = owner.answer()
            except EOFError:
                self._bury(owner)
                continue
            if isinstance(answer, Exception):
                raise answer
            self._note(owner, *answer)
        self._feed()

    def _note(self, owner: Owner, outputs: list[Generated], errors: list[str]) -> None:
        assert owner.piece
        piece, owner.piece, self.num_deaths = owner.piece, None, 0
        piece.batch.outputs |= zip(piece.places, outputs, strict=True)
        piece.batch.bad.count(errors)

    def _bury(self, owner: Owner) -> None:
        """Replace a worker that has died; what it had in hand comes first again, whole or in halves."""
        piece = owner.piece
        assert piece
        owner.process.join(END_SECONDS)
        told = f"the worker process ended ({_end_of(owner.process.exitcode)})"
        owner.end(has_time=False)
        self.num_deaths += 1
        if self.num_deaths > MAX_DEATHS:
            raise StageError(
                f"{self.folder}: worker processes died {self.num_deaths} times without doing anything between; the last time {told}. "
                f"Finished shards are kept: free memory or mend the machine, and run the stage again."
            )
        if piece.is_suspect and len(piece.places) == 1:
            piece.batch.outputs[piece.places[0]] = broken(told)
            piece.batch.bad.count([told])
            return
        half = (len(piece.places) + 1) // 2 if piece.is_suspect else len(piece.places)
        parts = [piece.places[:half], piece.places[half:]]
        self.waiting.extendleft(Piece(piece.batch, part, is_suspect=True) for part in reversed(parts) if part)

    def end(self, has_time: bool = True) -> None:
        self.waiting.clear()
        for owner in self.owners:
            owner.end(has_time)


_owners: dict[int, Owners] = {}  # by process: a forked one owns nothing


def owners_of(places: list[str], make: MakeEngine, folder: Path, work: Work) -> Owners:
    """The workers of these places, kept between calls; those of GPUs hold one model."""
    kept = _owners.get(os.getpid())
    if kept and [owner.place for owner in kept.owners] == places:
        if (kept.make, kept.folder) == (make, folder):
            return kept
        if not any(places) and not any(owner.piece for owner in kept.owners):
            kept.make, kept.folder = make, folder
            return kept
    end_owners()
    _owners[os.getpid()] = Owners(places, make, folder, work)
    return _owners[os.getpid()]


def end_owners() -> None:
    """End this process's workers, if it has any: their GPUs are free afterwards."""
    kept = _owners.pop(os.getpid(), None)
    if kept:
        kept.end()


atexit.register(end_owners)


def _serve(connection: Any, place: str, work: Work) -> None:
    """A worker: runs what comes until None does. That of a GPU leads a group: an engine's processes end with it."""
    if place:
        os.setpgid(0, 0)
    take(place)
    end_with_parent()
    while (asked := connection.recv()) is not None:
        try:
            answer: Any = work(*asked)
        except Exception as error:  # noqa: BLE001  # raised where the stage is
            answer = _sendable(error)
        connection.send(answer)


def _sendable(error: Exception) -> Exception:
    """The error itself where it can be made anew elsewhere; a library's own may need arguments that nobody knows."""
    is_plain = isinstance(error, StageError) or type(error).__module__ == "builtins"
    return error if is_plain else RuntimeError(f"{type(error).__name__}: {error}")


def _end_of(exitcode: int | None) -> str:
    return f"signal {-exitcode}" if exitcode and exitcode < 0 else f"status {exitcode}"
