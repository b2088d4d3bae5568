"""The texts of all shards in one file, in the order of their hashes: a shard's texts stand together in it.

    spill(texts, shards.number_of, folder)
    spilled = spilled_texts(folder)
    spilled.counts(), spilled.rows(12)

`texts.jsonl` holds the texts, each with its place among all, `spilled.json` where a shard's begin. It is written last: without it
the spill was cut short, and is made anew. A process opens each of the two once, however many shards it reads.
"""

import functools
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import xxhash

from stages.core.external_sort import externally_sorted
from stages.core.files import json_in, write_json
from stages.core.schemas import Row

TEXTS, INDEX = "texts.jsonl", "spilled.json"


@dataclass
class Stretch:
    """Where a shard's texts lie in the file."""

    start: int
    num_bytes: int = 0
    num_texts: int = 0


def spill(texts: Iterable[Row], number_of: Callable[[str], int], folder: Path) -> None:
    """Write the texts, once; `number_of` gives the shard of a text id, and rises with the id's hash."""
    if json_in(folder / INDEX) is not None:
        return
    placed = ({**text, "place": place} for place, text in enumerate(texts))
    stretches: dict[int, Stretch] = {}
    start = 0
    with (folder / TEXTS).open("wb") as stream:
        for text in externally_sorted(placed, lambda row: (hash_of(row["text_id"]), row["text_id"])):
            size = stream.write(orjson.dumps(text, option=orjson.OPT_APPEND_NEWLINE))
            stretch = stretches.setdefault(number_of(text["text_id"]), Stretch(start))
            stretch.num_bytes += size
            stretch.num_texts += 1
            start += size
    write_json({str(number): asdict(stretch) for number, stretch in stretches.items()}, folder / INDEX)


def hash_of(text_id: str) -> int:
    return xxhash.xxh3_64_intdigest(text_id.encode())


class SpilledTexts:
    """A finished spill, open for reading."""

    def __init__(self, folder: Path) -> None:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.stretches = {int(number): Stretch(**found[number]) for number in sorted(found, key=int)}
        self.stream = (folder / TEXTS).open("rb")

    def counts(self) -> dict[int, int]:
        """The texts of each shard that has any, in order."""
        return {number: stretch.num_texts for number, stretch in self.stretches.items()}

    def rows(self, number: int) -> list[Row]:
        """A shard's texts in the order of their hashes, whatever the order in which they came."""
        stretch = self.stretches[number]
        content = os.pread(self.stream.fileno(), stretch.num_bytes, stretch.start)
        return [orjson.loads(line) for line in content.split(b"\n")[:-1]]


def spilled_texts(folder: Path) -> SpilledTexts:
    return _opened(folder.absolute(), (folder / INDEX).stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _opened(folder: Path, _written_ns: int) -> SpilledTexts:
    return SpilledTexts(folder)
