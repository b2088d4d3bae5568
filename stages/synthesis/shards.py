"""Writing in shards: what a shard wrote is on the disk when it is done, and a killed stage goes on with the missing ones.

    written = write_in_shards(model, {"3f2a...": prompt, ...}, sampling, Path(".work/synthesize-1a2b3c4d"), "synthesize corpus")

A prompt's shard follows from its key's hash, so texts that come or go move no other; its random numbers come from its own
seed. What is written does not depend on the number of shards, their order, or who made them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import xxhash

from stages.core.command import say
from stages.core.tables import write_json
from stages.synthesis.engine import Prompt, Sampling
from stages.synthesis.writing import write_with_programs

SHARD_PROMPTS = 2048  # about; a kill costs at most one shard's work


@dataclass(frozen=True)
class Written:
    """What one prompt gave, and of its program, if it had one, the status and what stood on standard error."""

    text: str
    finish_reason: str
    num_tokens: int
    program_status: str = ""
    program_error: str = ""


def write_in_shards(
    model: Path, prompts: dict[str, Prompt], sampling: Sampling, folder: Path, title: str
) -> dict[str, Written]:  # fmt: skip
    """The outputs of all prompts, by key; shards that are in `folder` are read, the others made."""
    shards = cut(prompts)
    missing = [number for number in shards if not shard_path(folder, number).exists()]
    if len(missing) < len(shards):
        say(f"{title}: goes on with {len(missing)} of {len(shards)} shards")
    for place, number in enumerate(missing, 1):
        label = title if len(shards) == 1 else f"{title}, shard {place} of {len(missing)}"
        keys = shards[number]
        outputs = write_with_programs(model, [prompts[key] for key in keys], sampling, label)
        rows = {
            key: Written(
                output.text, output.finish_reason, output.num_tokens,
                execution.status if execution else "", execution.stderr[:200] if execution else "",
            )
            for key, (output, execution) in zip(keys, outputs, strict=True)
        }  # fmt: skip
        write_json({key: asdict(row) for key, row in rows.items()}, shard_path(folder, number))
    found = {}
    for number in shards:
        for key, row in json.loads(shard_path(folder, number).read_text(encoding="utf-8")).items():
            found[key] = Written(**row)
    return found


def cut(keys: Iterable[str]) -> dict[int, list[str]]:
    """Keys by shard, shards and keys in order: a power of two of shards, of about SHARD_PROMPTS keys each."""
    ordered = sorted(keys)
    num_shards = 1
    while num_shards * SHARD_PROMPTS < len(ordered):
        num_shards *= 2
    shards: dict[int, list[str]] = {}
    for key in ordered:
        shards.setdefault(xxhash.xxh3_64_intdigest(key.encode()) % num_shards, []).append(key)
    return dict(sorted(shards.items()))


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.json"
