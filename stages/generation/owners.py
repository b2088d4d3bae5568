"""Worker processes for an engine, one for each place: it alone holds the place's GPUs, from its first job to its end.

    owners = owners_of(places, TransformersEngine, folder)
    batch = owners.submit(prompts, sampling, bad)        # several may be under way; they are worked off in this order
    for number in owners.completed([batch]): ...   # then `batch.in_order()`

This process holds no GPU, and drives its workers with no thread of its own. A worker that dies is replaced: what it had in hand is
run once more, then cut into halves until the prompt that kills stands alone. The engine is kept for the next call; for another
one the workers of GPUs end first, so that all of the memory is given back.
"""

import atexit
import os
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path

from stages.core.command import StageError
from stages.generation.bad_prompts import BadPrompts, broken
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.owner_process import BEGUN, END_SECONDS, Batch, MakeEngine, OwnerProcess, Piece, Work, end_of

MAX_DEATHS = 16  # one after the other, with nothing done between: no prompt, but the machine


class Owners:
    """The workers of all places, for one engine of one model."""

    def __init__(self, places: list[str], make: MakeEngine, folder: Path, work: Work) -> None:
        self.make, self.folder, self.num_deaths = make, folder, 0
        self.owners = [OwnerProcess(place, work) for place in places]
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
                owner.give(self.waiting.popleft(), self.make, self.folder)

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
            if answer == BEGUN:
                owner.has_begun = owner.has_served = True
                continue
            if isinstance(answer, Exception):
                raise answer
            self._note(owner, *answer)
        self._feed()

    def _note(self, owner: OwnerProcess, outputs: list[Generated], errors: list[str]) -> None:
        assert owner.piece
        piece, owner.piece, self.num_deaths = owner.piece, None, 0
        piece.batch.outputs |= zip(piece.places, outputs, strict=True)
        piece.batch.bad.count(errors)

    def _bury(self, owner: OwnerProcess) -> None:
        """Replace a worker that has died; what it had in hand comes first again, whole or in halves.

        One that died between two pieces, idle, has not died of what was sent to it meanwhile.
        """
        piece, has_begun, was_idle = owner.piece, owner.has_begun, owner.has_served and not owner.has_begun
        assert piece
        owner.process.join(END_SECONDS)
        told = f"the worker process ended ({end_of(owner.process.exitcode)})"
        owner.end(has_time=False)
        self.num_deaths += not was_idle
        if self.num_deaths > MAX_DEATHS:
            raise StageError(
                f"{self.folder}: worker processes died {self.num_deaths} times in a row without finishing anything; the "
                f"last time {told}. Finished shards are kept: free memory or repair the machine, and run this again."
            )
        if not has_begun:
            self.waiting.appendleft(piece)
            return
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
