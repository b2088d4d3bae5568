"""A job of shards that needs nothing: a worker of a Ray cluster that gets it imports no torch."""

import os
from pathlib import Path

from stages.core.command import StageError


class Telling:
    """A job whose worker tells a variable of the driver's; or refuses a shard, and notes how often it was asked."""

    def __init__(self, notes: Path, refuses: str = "") -> None:
        self.notes, self.refuses = notes, refuses

    def worker(self):  # type: ignore[no-untyped-def]
        if self.refuses == "to load":
            raise StageError("models/x is no model folder. Run `dvc repro` to make it.")
        return self.shard

    def shard(self, number: int) -> bytes:
        if self.refuses and number == 2:
            with self.notes.open("a") as stream:
                stream.write("asked\n")
            raise ValueError("temperature must be positive")
        return os.environ["NINECHAPTERS_TOLD"].encode()
