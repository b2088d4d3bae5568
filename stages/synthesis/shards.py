"""Writing in shards: what a shard wrote is on the disk when it is done, and a killed stage goes on with the missing ones.

    shards = Shards(folder, plan, num_texts)
    shards.spill(texts)                                  # texts to the shards they belong to
    shards.write(model, "synthesize corpus")             # each missing shard, here or on the Ray cluster
    for number, written in shards.read(): ...            # Written(problems, rejected, num_tokens)

A text's shard follows from the high bits of its id's hash, so texts that come or go move no other. A prompt's random numbers come
from its own seed. Memory holds one shard at a time.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import xxhash

from stages.core.cluster import actors_for, connect
from stages.core.command import say
from stages.core.files import write_bytes, write_json
from stages.core.schemas import Row
from stages.generation.engine import engine_name
from stages.generation.meter import Meter
from stages.synthesis.line_files import LineFiles
from stages.synthesis.sections import WritingPlan
from stages.synthesis.written_problems import Written, write_problems

SHARD_PROMPTS = 2048  # about; a kill costs at most one shard's work
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
        if (self.folder / SPILLED).exists():
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
        missing = [number for number in counts if not self.path(number).exists()]
        if len(missing) < len(counts):
            say(f"{title}: goes on with {len(missing)} of {len(counts)} shards")
        todo = sum(counts[number] for number in missing) * self.plan.num_samples
        with Meter(title, todo) as meter:
            is_spread = os.environ.get("RAY_ADDRESS") and engine_name() != "server"
            made = self._made_by_ray(model, missing, meter) if is_spread else self._made(model, missing, title, meter)
            for number, written in made:
                write_bytes(orjson.dumps(asdict(written)), self.path(number))
                meter.judge(len(written.problems) + len(written.rejected), len(written.problems))
        return meter

    def _made(self, model: Path, numbers: list[int], title: str, meter: Meter) -> Iterator[tuple[int, Written]]:
        for number in numbers:
            yield number, write_problems(model, self.texts(number), self.plan, title, meter)

    def _made_by_ray(self, model: Path, numbers: list[int], meter: Meter) -> Iterator[tuple[int, Written]]:
        """By actors of the cluster, one for each GPU, or CPU; a shard whose node is lost is made by another."""
        if not numbers:
            return
        ray = connect()
        num_gpus = int(os.environ.get("NINECHAPTERS_TENSOR_PARALLEL", 1))  # of one copy of the model
        actors, cost = actors_for(ray, len(numbers), 1, num_gpus)
        shards = Shards(self.folder.resolve(), self.plan, self.num_texts)
        rows = ray.data.from_items([{"number": number} for number in numbers], override_num_blocks=len(numbers))
        made = rows.map_batches(
            ShardWriter, fn_constructor_args=[shards, model.resolve(), Path.cwd()], batch_size=1, concurrency=(1, actors), **cost
        )  # fmt: skip
        for row in made.iter_rows():
            written = Written(**orjson.loads(row["written"]))
            meter.add(len(written.problems) + len(written.rejected), written.num_tokens)
            yield int(row["number"]), written

    def read(self) -> Iterator[tuple[int, Written]]:
        for number in self.counts():
            yield number, Written(**orjson.loads(self.path(number).read_bytes()))


class ShardWriter:
    """A Ray Data actor: takes rows {"number": n}, gives them back with what the shard wrote."""

    def __init__(self, shards: Shards, model: Path, root: Path) -> None:
        self.shards, self.model = shards, model
        os.chdir(root)  # prompts are read from the project's folder
        os.environ["NINECHAPTERS_WORKERS"] = "1"

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        numbers = [int(number) for number in batch["number"]]
        made = [
            write_problems(self.model, self.shards.texts(number), self.shards.plan, f"shard {number}", None)
            for number in numbers
        ]
        return {"number": numbers, "written": [orjson.dumps(asdict(written)) for written in made]}


def hash_of(text_id: str) -> int:
    return xxhash.xxh3_64_intdigest(text_id.encode())
