"""The tasks of an evaluation, a benchmark in a mode each: solved and graded one by one, each kept once it is done.

    job = EvaluationJob(model, tables, settings, targets, leaks)
    predictions = predictions_in(work, job)                  # goes on with the tasks that are missing

On a Ray cluster each task is a shard that some node makes (stages/core/shards.py). Here the engine uses every device, and two tasks
take turns: while the programs of the one run, the model solves the other.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from stages.core.command import say
from stages.core.files import write_bytes
from stages.core.schemas import Row
from stages.core.shards import MakeShard, Steps, finished, made_in_steps, made_shards
from stages.core.tables import read_table
from stages.evaluation.predictions import flagged_items, predictions_of
from stages.evaluation.prompting import load_shots, prompt_of
from stages.evaluation.sections import EvaluationSettings, parse_shots
from stages.generation.engine import gpus_of_a_copy, is_spread
from stages.generation.interface import Sampling
from stages.problems.student_format import MODES


@dataclass(frozen=True)
class EvaluationJob:
    """All that decides the predictions."""

    model: Path
    tables: dict[str, Path]  # by benchmark
    settings: EvaluationSettings
    targets: Path
    leaks: Path

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Benchmark and mode, in the order of the predictions."""
        return [(name, mode) for name in self.tables for mode in MODES]

    @cached_property
    def examples(self) -> dict[str, list[Row]]:
        return load_shots(self.targets, map(parse_shots, self.settings.shots))

    def rows(self, name: str) -> list[Row]:
        return read_table("benchmarks", self.tables[name])[: self.settings.max_problems or None]

    def prompts(self, name: str, mode: str) -> list[str]:
        return [prompt_of(row, mode, self.examples.get(name, [])) for row in self.rows(name)]

    def worker(self, _: str) -> MakeShard:
        return self.shard

    def shard(self, number: int) -> bytes:
        """The predictions of a task, as JSON."""
        return finished(self.steps(number))

    def steps(self, number: int) -> Steps[bytes]:
        """Make the predictions of a task; yields while its programs run."""
        name, mode = self.tasks[number]
        settings = self.settings
        sampling = Sampling(settings.max_tokens, settings.temperature, settings.top_p)
        prompts, flagged = self.prompts(name, mode), flagged_items(self.leaks)
        say(f"evaluate: {self.model} on {name}, {mode}: {len(prompts):,} problems, {settings.num_samples} samples each")
        predictions = yield from predictions_of(
            self.model, self.rows(name), prompts, mode, sampling, settings.num_samples, flagged
        )
        return orjson.dumps(predictions)


def predictions_in(work: Path, job: EvaluationJob) -> dict[tuple[str, str], list[Row]]:
    """The predictions by task; those that the work folder holds are not made again."""
    paths = {number: work / f"task-{number:05d}.json" for number in range(len(job.tasks))}
    missing = [number for number, path in paths.items() if not path.exists()]
    if len(missing) < len(paths):
        say(f"evaluate: goes on with {len(missing)} of {len(paths)} tasks")
    made = made_shards(job, missing, gpus=gpus_of_a_copy()) if is_spread() else made_in_steps(job.steps, missing)
    for number, content in made:
        write_bytes(content, paths[number])
    return {task: orjson.loads(paths[number].read_bytes()) for number, task in enumerate(job.tasks)}
