"""Jobs on workers: this process where there is one place alone, else one process for each place (stages/generation/owners.py).

    started = start_jobs(TransformersEngine, folder, jobs, sampling, places)     # where there are workers, they work from here on
    for number, outputs in started.outputs(beat): ...

A job that fails is cut into halves until the prompt that breaks it stands alone; that prompt's output is an error. A worker
that dies (killed for memory, a crash in a kernel) is replaced, and what it may have died of is looked for likewise. More than
MAX_BAD such prompts in one call are no bad prompts but a bad machine, and end the stage.
"""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from stages.generation import written
from stages.generation.bad_prompts import BadPrompts
from stages.generation.interface import Engine, Generated, Prompt, Sampling
from stages.generation.owner_process import Batch, MakeEngine
from stages.generation.owners import Owners, owners_of

BEAT_SECONDS = 2.0


def run_jobs(
    make: MakeEngine, folder: Path, jobs: list[list[Prompt]], sampling: Sampling, places: list[str],
    beat: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, list[Generated]]]:  # fmt: skip
    """Each job's number and outputs, as they are ready; `beat` is called again and again while none is ready."""
    return start_jobs(make, folder, jobs, sampling, places).outputs(beat)


@dataclass(frozen=True)
class JobsHere:
    """Jobs that this process does, when their outputs are asked for."""

    make: MakeEngine
    folder: Path
    jobs: list[list[Prompt]]
    sampling: Sampling
    is_under_way: bool = False

    def outputs(self, beat: Callable[[], None] = lambda: None) -> Iterator[tuple[int, list[Generated]]]:
        bad, engine = BadPrompts(self.folder), _engine_here(self.make, self.folder)
        for number, job in enumerate(self.jobs):
            with written.heard_by(beat):
                outputs = bad.isolated(lambda prompts: engine.run(prompts, self.sampling), job)
            yield number, outputs


@dataclass(frozen=True)
class JobsAway:
    """Jobs that workers do, from now on."""

    owners: Owners
    batches: list[Batch]
    is_under_way: bool = True

    def outputs(self, beat: Callable[[], None] = lambda: None) -> Iterator[tuple[int, list[Generated]]]:
        for number in self.owners.completed(self.batches, beat, BEAT_SECONDS):
            yield number, self.batches[number].in_order()


def start_jobs(
    make: MakeEngine, folder: Path, jobs: list[list[Prompt]], sampling: Sampling, places: list[str]
) -> JobsHere | JobsAway:
    """Never both ways: where there is more than one place, this process loads no engine."""
    if len(places) == 1:
        return JobsHere(make, folder, jobs, sampling)
    owners, bad = owners_of(places, make, folder, run_here), BadPrompts(folder)
    return JobsAway(owners, [owners.submit(job, sampling, bad) for job in jobs])


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


def run_here(
    make: MakeEngine, folder: Path, prompts: list[Prompt], sampling: Sampling
) -> tuple[list[Generated], list[str]]:
    """The outputs, and the errors of the prompts that broke the engine."""
    engine, bad = _engine_here(make, folder), BadPrompts(folder)
    return bad.isolated(lambda asked: engine.run(asked, sampling), prompts), bad.errors
