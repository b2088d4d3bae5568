"""The targets' directions V_k, computed once for each checkpoint and kept in a file: what the candidates are scored by.

    examples, too_long = read_targets({"grade": Path("data/targets/grade.parquet")}, base, max_length)
    write_directions(DirectionsJob(base, checkpoint, examples, settings), folder)   # folder/directions.safetensors

They are made where shards are: by a worker where this machine has several GPUs, as this process would keep what it touches, or
on the Ray cluster.

Exact: part -> float32 (D, K), in the order of the targets. With a projection: features, float32 (K, projection_dim).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from stages.core.command import StageError
from stages.core.files import write_bytes
from stages.core.shards import MakeShard, made_shards
from stages.core.tables import read_table
from stages.models.folders import compute_dtype, load_tokenizer, use_device
from stages.models.tokenization import TokenizedExample, tokenize
from stages.problems.target_examples import target_example
from stages.value.gradients import reduced_gradients
from stages.value.influence import mean_direction
from stages.value.projection import CountSketch
from stages.value.reference import Reference, load_reference
from stages.value.sections import GradientSettings
from stages.value.shards import CPUS_OF_AN_ACTOR, places_here

DIRECTIONS = "directions.safetensors"
Targets = dict[str, list[TokenizedExample]]


def read_targets(files: dict[str, Path], base: Path, max_length: int) -> tuple[Targets, dict[str, int]]:
    """Each target's problems as token ids, and how many are too long."""
    tokenizer = load_tokenizer(base)
    kept: Targets = {}
    too_long: dict[str, int] = {}
    for name, path in files.items():
        rows = read_table("benchmarks", path)
        kept[name], too_long[name] = tokenize([target_example(row) for row in rows], tokenizer, max_length)
        if not kept[name]:
            raise StageError(
                f"{path}: none of the {len(rows)} problems of target {name} fits gradients.max_length = {max_length} "
                f"tokens. Raise it, or remove the target from estimate_value.target."
            )
    return kept, too_long


@dataclass(frozen=True)
class DirectionsJob:
    """All that decides the directions of a checkpoint; one shard (stages/core/shards.py) makes them all."""

    base: Path
    checkpoint: Path
    targets: Targets
    settings: GradientSettings

    def worker(self) -> MakeShard:
        return self.shard

    def shard(self, _: int) -> bytes:
        device = use_device()
        reference = load_reference(self.base, self.checkpoint, device, compute_dtype(device))
        make = sketched if self.settings.projection_dim else exact
        kept = make(reference, self.targets, self.settings)
        return save({name: tensor.cpu().contiguous() for name, tensor in kept.items()})


def write_directions(job: DirectionsJob, folder: Path) -> Path:
    """Write the directions in `folder`, unless they are there; returns their file."""
    path = folder / DIRECTIONS
    if not path.exists():
        for _, content in made_shards(job, [0], places_here(), cpus=CPUS_OF_AN_ACTOR):
            write_bytes(content, path)
    return path


def exact(reference: Reference, targets: Targets, settings: GradientSettings) -> dict[str, torch.Tensor]:
    found = [mean_direction(reference, examples, settings.token_budget) for examples in targets.values()]
    return {part: torch.stack([one[part] for one in found], dim=1) for part in found[0]}


def sketched(reference: Reference, targets: Targets, settings: GradientSettings) -> dict[str, torch.Tensor]:
    """The sketch of V_k is the mean of the sketches of the normalised gradients: a sketch is linear."""
    sketch = CountSketch(settings.projection_dim, settings.projection_seed)
    means = []
    for examples in targets.values():
        batches = reduced_gradients(reference, examples, settings.token_budget, sketch)
        means.append(torch.stack([batch.rows_BF.sum(dim=0) for batch in batches]).sum(dim=0) / len(examples))
    return {"features": torch.stack(means)}
