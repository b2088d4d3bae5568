"""Writing in shards: what a shard wrote is on the disk when it is done, and a killed stage goes on with the missing ones.

    shards = Shards(folder, plan, num_texts)
    shards.spill(texts)                                  # in the order of their shards
    shards.write(model, "synthesize corpus")             # each missing shard, here or on the Ray cluster
    for number, written in shards.read(): ...            # Written(problems, rejected, num_tokens)

A text's shard follows from the high bits of its id's hash, so texts that come or go move no other. A prompt's random numbers come
from its own seed. Memory holds two shards at a time for each GPU: while the programs of the one run, the model writes another.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from stages.core.command import say
from stages.core.files import json_in, write_bytes
from stages.core.schemas import Row
from stages.core.shards import MakeShard, Steps, finished, made_in_steps, made_shards
from stages.generation.engine import gpus_of_a_copy, is_spread, shards_at_once
from stages.generation.meter import Meter
from stages.synthesis.sections import WritingPlan
from stages.synthesis.spilled_texts import hash_of, spill, spilled_texts
from stages.synthesis.written_problems import Written, write_problems

SHARD_PROMPTS = 2048  # about; a kill costs at most the work of the shards in hand, two for each GPU


@dataclass(frozen=True)
class Shards:
    """A stage's shards in its work folder."""

    folder: Path
    plan: WritingPlan
    num_texts: int

    @property
    def bits(self) -> int:
        num_shards = self.num_texts * self.plan.num_samples / SHARD_PROMPTS
        return max(0, (int(num_shards + 0.999) - 1).bit_length()) if num_shards > 1 else 0

    def number_of(self, text_id: str) -> int:
        return hash_of(text_id) >> (64 - self.bits)

    def path(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}.json"

    def spill(self, texts: Iterable[Row]) -> None:
        """Write the texts, each with its place among them, to where their shards find them, once."""
        spill(texts, self.number_of, self.folder)

    def counts(self) -> dict[int, int]:
        """The texts of each shard that has any, in order."""
        return spilled_texts(self.folder).counts()

    def texts(self, number: int) -> list[Row]:
        """A shard's texts in the order of their hashes, whatever the order in which they came."""
        return spilled_texts(self.folder).rows(number)

    def write(self, model: Path, title: str) -> Meter:
        """Make the shards that are missing; returns what it took."""
        counts = self.counts()
        missing = [number for number in counts if json_in(self.path(number)) is None]
        if len(missing) < len(counts):
            say(f"{title}: continuing with {len(missing)} of {len(counts)} shards")
        todo = sum(counts[number] for number in missing) * self.plan.num_samples
        with Meter(title, todo) as meter:
            spread = is_spread()
            job = WritingJob(self, model, title, None if spread else meter)
            if spread:
                made = made_shards(job, missing, gpus=gpus_of_a_copy())
            else:
                made = made_in_steps(job.steps, missing, shards_at_once(model, SHARD_PROMPTS))
            for number, content in made:
                write_bytes(content, self.path(number))
                written = Written(**orjson.loads(content))
                num_outputs = len(written.problems) + len(written.rejected)
                if spread:
                    meter.add(num_outputs, written.num_tokens)
                meter.judge(num_outputs, len(written.problems))
        return meter

    def read(self) -> Iterator[tuple[int, Written]]:
        for number in self.counts():
            yield number, Written(**orjson.loads(self.path(number).read_bytes()))


@dataclass(frozen=True)
class WritingJob:
    """What a model writes for the shards."""

    shards: Shards
    model: Path
    title: str
    meter: Meter | None  # of this process; None where others write

    def worker(self) -> MakeShard:
        return self.shard

    def shard(self, number: int) -> bytes:
        return finished(self.steps(number))

    def steps(self, number: int) -> Steps[bytes]:
        """Write a shard; yields while its programs run."""
        texts = self.shards.texts(number)
        written = yield from write_problems(self.model, texts, self.shards.plan, self.title, self.meter)
        return orjson.dumps(asdict(written))
