"""The tasks of an evaluation, a benchmark in a mode each, in shards of some problems: each is kept once it is solved and graded.

    job = EvaluationJob(model, tables, settings, targets, leaks)
    make_predictions(job, work)                              # goes on with the shards that are missing
    for rows in predictions_in(job, work, GRADED): ...       # in order, a shard at a time

There are one or two draws of responses: those that accuracies are of, and those that vote (`majority_samples`).

On a Ray cluster some node makes a shard (stages/core/shards.py). Here the engine uses every device, and shards take turns,
two for each GPU: while the programs of the one run, the model solves another.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from stages.core.command import say
from stages.core.files import json_in, write_bytes
from stages.core.schemas import Row
from stages.core.shards import MakeShard, Steps, finished, made_in_steps, made_shards
from stages.core.tables import read_table
from stages.evaluation.predictions import flagged_items, predictions_of
from stages.evaluation.prompting import load_shots, prompt_of
from stages.evaluation.sections import EvaluationSettings, parse_shots
from stages.generation.engine import gpus_of_a_copy, is_spread, shards_at_once
from stages.generation.interface import Sampling
from stages.problems.student_format import MODES

GRADED, VOTES = "predictions", "votes"  # the draws, by the table that keeps each
SHARD_RESPONSES = 2048  # a kill costs at most the work of the shards in hand, two for each GPU


@dataclass(frozen=True)
class EvaluationJob:
    """All that decides the predictions."""

    model: Path
    tables: dict[str, Path]  # by benchmark
    settings: EvaluationSettings
    targets: Path
    leaks: Path
    shard_responses: int = SHARD_RESPONSES
    modes: tuple[str, ...] = MODES
    called: str = ""  # the model, in what is said of it; "": its folder

    @property
    def title(self) -> str:
        return self.called or str(self.model)

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Benchmark and mode, in the order of the predictions."""
        return [(name, mode) for name in self.tables for mode in self.modes]

    @cached_property
    def draws(self) -> dict[str, tuple[int, float]]:
        """Samples of a problem and their temperature, by draw."""
        settings = self.settings
        graded = {GRADED: (settings.num_samples, settings.temperature)}
        votes = {VOTES: (settings.majority_samples, settings.majority_temperature)}
        return graded | (votes if settings.majority_samples else {})

    @cached_property
    def shards(self) -> list[tuple[str, str, str, int]]:
        """Draw, benchmark, mode and first problem of each shard, in the order of the predictions."""
        return [
            (draw, name, mode, first)
            for draw in self.draws
            for name, mode in self.tasks
            for first in range(0, len(self.questions[name]), self.shard_problems(draw))
        ]

    def shard_problems(self, draw: str) -> int:
        return max(1, self.shard_responses // self.draws[draw][0])

    @cached_property
    def examples(self) -> dict[str, list[Row]]:
        return load_shots(self.targets, map(parse_shots, self.settings.shots))

    @cached_property
    def questions(self) -> dict[str, list[Row]]:
        """The problems by benchmark."""
        limit = self.settings.max_problems or None
        return {name: read_table("benchmarks", path)[:limit] for name, path in self.tables.items()}

    def prompts(self, name: str, mode: str, rows: Iterable[Row]) -> list[str]:
        return [prompt_of(row, mode, self.examples.get(name, [])) for row in rows]

    def worker(self) -> MakeShard:
        return self.shard

    def shard(self, number: int) -> bytes:
        """The predictions of a shard, as JSON."""
        return finished(self.steps(number))

    def steps(self, number: int) -> Steps[bytes]:
        """Make the predictions of a shard; yields while its programs run."""
        draw, name, mode, first = self.shards[number]
        num_samples, temperature = self.draws[draw]
        rows = self.questions[name][first : first + self.shard_problems(draw)]
        prompts = self.prompts(name, mode, rows)
        sampling = Sampling(self.settings.max_tokens, temperature, self.settings.top_p)
        say(
            f"evaluate: {self.title} on {name}, {mode}: {len(rows):,} problems from number {first}, "
            f"{num_samples} samples each{' that vote' if draw == VOTES else ''}"
        )
        predictions = yield from predictions_of(
            self.model, rows, prompts, mode, sampling, num_samples, flagged_items(self.leaks), "" if draw == GRADED else draw
        )  # fmt: skip
        return orjson.dumps(predictions)


def make_predictions(job: EvaluationJob, work: Path) -> None:
    """Make the shards that the work folder does not hold."""
    missing = [number for number in range(len(job.shards)) if json_in(_path(work, number)) is None]
    if len(missing) < len(job.shards):
        say(f"evaluate: continuing with {len(missing)} of {len(job.shards)} shards")
    if is_spread():
        made = made_shards(job, missing, gpus=gpus_of_a_copy())
    else:
        made = made_in_steps(job.steps, missing, shards_at_once(job.model, job.shard_responses))
    for number, content in made:
        write_bytes(content, _path(work, number))


def predictions_in(job: EvaluationJob, work: Path, draw: str) -> Iterator[list[Row]]:
    """The rows of each shard of a draw, in the order of the tasks."""
    for number, (own, *_) in enumerate(job.shards):
        if own == draw:
            yield orjson.loads(_path(work, number).read_bytes())


def _path(work: Path, number: int) -> Path:
    return work / f"shard-{number:05d}.json"
