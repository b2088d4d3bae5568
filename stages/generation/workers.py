"""Jobs on workers: this process, or one for each place; what one bad prompt or a sick worker breaks is that prompt alone.

    for number, outputs in run_jobs(TransformersEngine, folder, jobs, sampling, places): ...

A job that fails is cut into halves until the prompt that breaks it stands alone; that prompt's output is an error. A worker
that dies (killed for memory, a crash in a kernel) is replaced, and the jobs that it may have died of are run one at a time, and
cut likewise. More than MAX_BAD such prompts in one call are no bad prompts but a bad machine, and end the stage.
"""

import functools
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from stages.core.command import StageError
from stages.core.parallel import end_with_parent
from stages.core.redaction import printable, scrub
from stages.generation import written
from stages.generation.interface import Engine, Generated, Prompt, Sampling

MAX_BAD = 8
BEAT_SECONDS = 2.0
MakeEngine = Callable[[Path], Engine]
Run = Callable[[list[Prompt]], list[Generated]]


def run_jobs(
    make: MakeEngine, folder: Path, jobs: list[list[Prompt]], sampling: Sampling, places: list[str],
    beat: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, list[Generated]]]:  # fmt: skip
    """Each job's number and outputs, as they are ready; `beat` is called again and again while none is."""
    bad = BadPrompts(folder)
    if len(places) == 1 or len(jobs) == 1:
        engine = _engine_here(make, folder)
        for number, job in enumerate(jobs):
            with written.heard_by(beat):
                outputs = bad.isolated(lambda prompts: engine.run(prompts, sampling), job)
            yield number, outputs
        return
    suspects = dict(enumerate(jobs))
    try:
        pool = _pool(tuple(places))
        futures = {pool.submit(_run, make, folder, job, sampling): number for number, job in enumerate(jobs)}
        for future in _completed(set(futures), beat):
            outputs, errors = future.result()
            bad.count(errors)
            del suspects[futures[future]]
            yield futures[future], outputs
    except BrokenProcessPool:
        _pool.cache_clear()
        for number, job in suspects.items():
            yield number, bad.isolated(lambda prompts: _run_alone(make, folder, places[0], prompts, sampling), job)


def _completed(flying: set[Future[Any]], beat: Callable[[], None]) -> Iterator[Future[Any]]:
    while flying:
        done, flying = wait(flying, BEAT_SECONDS, FIRST_COMPLETED)
        yield from done
        beat()


class BadPrompts:
    """Finds the prompts that break an engine and counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors: list[str] = []

    def count(self, errors: list[str]) -> None:
        self.errors += errors
        if len(self.errors) > MAX_BAD:
            raise StageError(
                f"{self.folder} failed on more than {MAX_BAD} prompts, each alone; the last time: {self.errors[-1]}. "
                f"Finished shards are kept: mend the cause, and run the stage again."
            )

    def isolated(self, run: Run, prompts: list[Prompt]) -> list[Generated]:
        try:
            return run(prompts)
        except StageError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this prompt's, or there will be many
            if len(prompts) == 1:
                reason = printable(scrub(f"{type(error).__name__}: {error}"))[:300]
                self.count([reason])
                return [Generated("", "error", 0, reason)]
            half = len(prompts) // 2
            return self.isolated(run, prompts[:half]) + self.isolated(run, prompts[half:])


_engines: dict[tuple[MakeEngine, Path], Engine] = {}  # one at most


def _engine_here(make: MakeEngine, folder: Path) -> Engine:
    """The engine of this process, kept for the next call; another one's memory is given back first."""
    if (make, folder) not in _engines:
        _engines.clear()
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        _engines[make, folder] = make(folder)
    return _engines[make, folder]


@functools.lru_cache(maxsize=1)
def _pool(places: tuple[str, ...]) -> ProcessPoolExecutor:
    """Workers that keep their engine for the next call; forked on CPUs, as importing torch anew takes seconds."""
    context: Any = multiprocessing.get_context("spawn" if places[0] else "fork")
    free = context.Queue()
    for place in places:
        free.put(place)
    return ProcessPoolExecutor(len(places), context, initializer=_start, initargs=(free,))


def _run_alone(
    make: MakeEngine, folder: Path, place: str, prompts: list[Prompt], sampling: Sampling
) -> list[Generated]:
    """In a worker of its own, whose death harms nobody else."""
    pool = _pool.__wrapped__((place,))
    with pool:
        return pool.submit(_run, make, folder, prompts, sampling).result()[0]


def _start(free: Any) -> None:
    place = free.get()
    if place:
        os.environ["CUDA_VISIBLE_DEVICES"] = place
    end_with_parent()


def _run(
    make: MakeEngine, folder: Path, prompts: list[Prompt], sampling: Sampling
) -> tuple[list[Generated], list[str]]:
    """The outputs, and the errors of the prompts that broke the engine."""
    engine, bad = _engine_here(make, folder), BadPrompts(folder)
    return bad.isolated(lambda asked: engine.run(asked, sampling), prompts), bad.errors
