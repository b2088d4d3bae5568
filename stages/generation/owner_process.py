"""A worker process for an engine: started with its first piece, and the one holder of its place's GPUs until it ends.

owner = OwnerProcess("0,1", work)         # the place: what CUDA_VISIBLE_DEVICES says there; "" on CPUs
owner.give(piece, TransformersEngine, folder)
BEGUN, then outputs, errors = owner.answer()
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.devices import take
from stages.core.parallel import end_with_parent
from stages.generation.bad_prompts import BadPrompts
from stages.generation.interface import Engine, Generated, Prompt, Sampling

MakeEngine = Callable[[Path], Engine]
Work = Callable[[MakeEngine, Path, list[Prompt], Sampling], tuple[list[Generated], list[str]]]
BEGUN = "begun"  # a worker's word that it has its piece: if it dies now, then perhaps of that
END_SECONDS = 60.0  # for an engine to give its memory back by itself


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


class OwnerProcess:
    """One worker process, started with its first piece."""

    def __init__(self, place: str, work: Work) -> None:
        self.place, self.work = place, work
        self.piece: Piece | None = None
        self.has_begun = self.has_served = False  # this piece; any piece, since the process was started
        self.process: Any = None

    def give(self, piece: Piece, make: MakeEngine, folder: Path) -> None:
        """Send a piece. Where the worker has died since its last one, `answer` says so."""
        if self.process is None:
            self._start()
        self.piece, self.has_begun = piece, False
        asked = [piece.batch.prompts[place] for place in piece.places]
        with suppress(OSError):
            self.connection.send((make, folder, asked, piece.batch.sampling))

    def answer(self) -> Any:
        """What the worker sends: BEGUN first, then outputs and errors, or an exception.

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
        self.process, self.piece, self.has_begun, self.has_served = None, None, False, False

    def _kill(self) -> None:
        if self.place:
            with suppress(ProcessLookupError):  # it is gone, with its group, or has not yet made one
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


def _serve(connection: Any, place: str, work: Work) -> None:
    """A worker: runs what comes until None does. That of a GPU leads a group: an engine's processes end with it."""
    if place:
        os.setpgid(0, 0)
    take(place)
    end_with_parent()
    while (asked := connection.recv()) is not None:
        connection.send(BEGUN)
        try:
            answer: Any = work(*asked)
        except Exception as error:  # noqa: BLE001  # raised where the stage is
            answer = _sendable(error)
        connection.send(answer)


def _sendable(error: Exception) -> Exception:
    """The error itself where it can be made anew elsewhere; a library's own may need arguments that nobody knows."""
    is_plain = isinstance(error, StageError) or type(error).__module__ == "builtins"
    return error if is_plain else RuntimeError(f"{type(error).__name__}: {error}")


def end_of(exitcode: int | None) -> str:
    return f"signal {-exitcode}" if exitcode and exitcode < 0 else f"status {exitcode}"
