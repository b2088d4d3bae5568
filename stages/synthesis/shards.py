"""Writing in shards: what a shard wrote is on the disk when it is done, and a killed stage goes on with the missing ones.

    shards = Shards(folder, plan, num_texts)
    shards.spill(texts)                                  # texts to the shards they belong to
    shards.write(model, "synthesize corpus")             # each missing shard, here or on the Ray cluster
    for number, written in shards.read(): ...            # Written(problems, rejected, num_tokens)

A text's shard follows from the high bits of its id's hash, so texts that come or go move no other. A prompt's random numbers come
from its own seed. Memory holds two shards at a time: while the programs of the one run, the model writes the other.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import xxhash

from stages.core.command import say
from stages.core.files import json_in, write_bytes, write_json
from stages.core.schemas import Row
from stages.core.shards import MakeShard, Steps, finished, made_in_steps, made_shards
from stages.generation.engine import gpus_of_a_copy, is_spread
from stages.generation.meter import Meter
from stages.synthesis.line_files import LineFiles
from stages.synthesis.sections import WritingPlan
from stages.synthesis.written_problems import Written, write_problems

SHARD_PROMPTS = 2048  # about; a kill costs at most the work of the two shards in hand
SPILLED = "spilled.json"


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

    @property
    def spilled(self) -> LineFiles:
        return LineFiles(self.folder, "texts")

    def spill(self, texts: Iterable[Row]) -> None:
        """Write the texts, each with its place among them, to the files of their shards, once."""
        if json_in(self.folder / SPILLED) is not None:
            return
        files = self.spilled
        files.clear()
        counts: dict[int, int] = {}
        for place, text in enumerate(texts):
            number = self.number_of(text["text_id"])
            files.add(number, {**text, "place": place})
            counts[number] = counts.get(number, 0) + 1
        files.flush()
        write_json({str(number): count for number, count in counts.items()}, self.folder / SPILLED)

    def counts(self) -> dict[int, int]:
        """The texts of each shard that has any, in order."""
        found = json.loads((self.folder / SPILLED).read_text(encoding="utf-8"))
        return {int(number): count for number, count in sorted(found.items(), key=lambda entry: int(entry[0]))}

    def texts(self, number: int) -> list[Row]:
        """A shard's texts in the order of their hashes, whatever the order in which they came."""
        return sorted(self.spilled.rows(number), key=lambda row: (hash_of(row["text_id"]), row["text_id"]))

    def write(self, model: Path, title: str) -> Meter:
        """Make the shards that are missing; returns what it took."""
        counts = self.counts()
        missing = [number for number in counts if json_in(self.path(number)) is None]
        if len(missing) < len(counts):
            say(f"{title}: goes on with {len(missing)} of {len(counts)} shards")
        todo = sum(counts[number] for number in missing) * self.plan.num_samples
        with Meter(title, todo) as meter:
            spread = is_spread()
            job = WritingJob(self, model, title, None if spread else meter)
            made = made_shards(job, missing, gpus=gpus_of_a_copy()) if spread else made_in_steps(job.steps, missing)
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

    def worker(self, _: str) -> MakeShard:
        return self.shard

    def shard(self, number: int) -> bytes:
        return finished(self.steps(number))

    def steps(self, number: int) -> Steps[bytes]:
        """Write a shard; yields while its programs run."""
        texts = self.shards.texts(number)
        written = yield from write_problems(self.model, texts, self.shards.plan, self.title, self.meter)
        return orjson.dumps(asdict(written))


def hash_of(text_id: str) -> int:
    return xxhash.xxh3_64_intdigest(text_id.encode())
