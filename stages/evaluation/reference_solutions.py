"""How a student likes the benchmarks' own solutions: the loss of each after the prompt that the student is asked with.

    make_losses(job, work)                       # goes on with the shards that are missing
    losses_in(job, work)["gsm8k", 0]             # (0.83, 112): nats a token, and tokens

The solution's own tokens count, as the benchmark has it: neither an end token nor a line that names the answer is added, which a
fine-tuned model would know by heart. Only solutions in words count: an equation (SVAMP, MAWPS, ASDiv) or a program (GSM-Hard) is
no answer in a form that the student is asked for. They are in natural language, so the tool mode has none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from stages.core.command import say
from stages.core.files import json_in, write_bytes
from stages.core.schemas import Row
from stages.core.shards import MakeShard, made_here, made_shards
from stages.evaluation.tasks import EvaluationJob
from stages.generation.engine import gpus_of_a_copy, has_cluster
from stages.generation.interface import Prompt, Scored
from stages.generation.likelihoods import likelihoods
from stages.problems.student_format import COT

SHARD_SOLUTIONS = 1024
MIN_WORDS = 3
PROGRAM = re.compile(r"^(?:def|import|from) |^\s+return\b", re.MULTILINE)


def is_in_words(solution: str) -> bool:
    """Whether a solution is prose, no equation and no program.

    >>> is_in_words("Tom has 3 + 4 = 7 apples."), is_in_words("X = 3 + 4"), is_in_words("def solution():\\n    return 7")
    (True, False, False)
    """
    words = re.findall(r"(?<![\\\w])[^\W\d_]{2,}", solution)
    return len(words) >= MIN_WORDS and not PROGRAM.search(solution)


@dataclass(frozen=True)
class ReferenceJob:
    """All that decides the losses."""

    evaluation: EvaluationJob

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """The problems that have a solution, by benchmark."""
        asked = self.evaluation.questions if self.evaluation.settings.reference_loss else {}
        return {name: [row for row in rows if is_in_words(row["solution"])] for name, rows in asked.items()}

    @cached_property
    def shards(self) -> list[tuple[str, int]]:
        """Benchmark and first problem of each."""
        return [(name, first) for name, rows in self.rows.items() for first in range(0, len(rows), SHARD_SOLUTIONS)]

    def worker(self) -> MakeShard:
        return self.shard

    def shard(self, number: int) -> bytes:
        """[index, nats a token, tokens] of each problem whose solution has room, as JSON."""
        name, first = self.shards[number]
        rows = self.rows[name][first : first + SHARD_SOLUTIONS]
        say(f"evaluate: {self.evaluation.title} reads {len(rows):,} solutions of {name} from number {first}")
        asked = self.evaluation.prompts(name, COT, rows)
        read = likelihoods(
            self.evaluation.model,
            [Prompt(prompt + row["solution"], num_asked=len(prompt)) for row, prompt in zip(rows, asked, strict=True)],
            f"read {name}",
        )
        found = [
            [row["index"], one.nats / one.num_tokens, one.num_tokens]
            for row, one in zip(rows, read, strict=True)
            if isinstance(one, Scored)
        ]
        if len(found) < len(rows):
            say(f"evaluate: {len(rows) - len(found):,} solutions of {name} do not fit after their prompts")
        return orjson.dumps(found)


def make_losses(evaluation: EvaluationJob, work: Path) -> None:
    """Make the shards that the work folder does not hold."""
    job = ReferenceJob(evaluation)
    missing = [number for number in range(len(job.shards)) if json_in(_path(work, number)) is None]
    made = made_shards(job, missing, gpus=gpus_of_a_copy()) if has_cluster() else made_here(job, missing)
    for number, content in made:
        write_bytes(content, _path(work, number))


def losses_in(evaluation: EvaluationJob, work: Path) -> dict[tuple[str, int], tuple[float, int]]:
    """By benchmark and index: nats a token, and tokens."""
    job = ReferenceJob(evaluation)
    return {
        (name, index): (loss, num_tokens)
        for number, (name, _) in enumerate(job.shards)
        for index, loss, num_tokens in orjson.loads(_path(work, number).read_bytes())
    }


def with_losses(rows: list[Row], losses: dict[tuple[str, int], tuple[float, int]]) -> Iterator[Row]:
    """The predictions, each with its problem's loss; none in the tool mode."""
    for row in rows:
        known = losses.get((row["benchmark"], row["index"])) if row["mode"] == COT else None
        loss, num_tokens = known or (None, None)
        yield row | {"reference_loss": loss, "reference_tokens": num_tokens}


def _path(work: Path, number: int) -> Path:
    return work / f"reference-{number:05d}.json"
