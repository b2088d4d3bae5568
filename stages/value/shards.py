"""A pass over the candidates, shard by shard: each shard is one safetensors file, there or not there.

    compute_shards(job, Path(".work/estimate_value-1a2b3c4d/checkpoint-1"), "estimate_value")

A pass that was killed goes on with the shards that are missing. On one machine every GPU takes shards, or the CPU; on a Ray
cluster as many actors as it has GPUs, or CPUs by twos (stages/core/shards.py). What a shard holds depends on the job alone.

A shard: {"places": int32[n] in the shard, "num_tokens": int32[n] of the output, "losses": float32[n],
"norms": float32[n], and "scores": float32[n, K], or "features" (and "steps") of the datastore}.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from stages.core.devices import gpu_sets
from stages.core.files import write_bytes
from stages.core.progress import Tracker
from stages.core.shards import MakeShard, made_shards
from stages.models.folders import compute_dtype, load_tokenizer, use_device
from stages.models.tokenization import IGNORED, TokenizedExample
from stages.value.candidates import Candidates
from stages.value.gradients import Reduction, reduced_gradients
from stages.value.influence import Cosines, precondition_by
from stages.value.projection import CountSketch, encode
from stages.value.reference import load_reference
from stages.value.sections import GradientSettings

CPUS_OF_AN_ACTOR = 2


@dataclass(frozen=True)
class ShardJob:
    """All that decides the bytes of the shards."""

    base: Path
    checkpoint: Path
    candidates: Path
    settings: GradientSettings
    directions: Path | None  # of the targets, for exact scores; None: features for the datastore

    def worker(self) -> MakeShard:
        return ShardWorker(self, use_device()).shard

    def reduction(self, device: torch.device) -> Reduction:
        if self.directions:
            return Cosines({part: v_DK.to(device) for part, v_DK in load_file(self.directions).items()})
        return CountSketch(self.settings.projection_dim, self.settings.projection_seed)


class ShardWorker:
    """Loads the reference model once and makes shards by their numbers."""

    def __init__(self, job: ShardJob, device: torch.device) -> None:
        self.job = job
        self.reference = load_reference(job.base, job.checkpoint, device, compute_dtype(device))
        self.tokenizer = load_tokenizer(job.base)
        self.candidates = Candidates(job.candidates, job.settings.shard_rows)
        self.precondition = precondition_by(job.settings.preconditioner, self.reference)
        self.reduction = job.reduction(device)

    def shard(self, number: int) -> bytes:
        settings = self.job.settings
        places, examples = self.candidates.examples(number, self.tokenizer, settings.max_length)
        losses, norms = torch.zeros(len(places)), torch.zeros(len(places))
        rows = torch.zeros(len(places), 0)
        for batch in reduced_gradients(
            self.reference, examples, settings.token_budget, self.reduction, self.precondition, settings.loss
        ):
            found = batch.rows_BF.cpu()
            rows = rows if rows.numel() else torch.zeros(len(places), found.shape[1])
            rows[batch.indices] = found
            losses[batch.indices], norms[batch.indices] = batch.losses_B.cpu(), batch.norms_B.cpu()
        kept = {"scores": rows} if self.job.directions else encode(rows, settings.projection_dtype)
        return save({
            "places": torch.tensor(places, dtype=torch.int32), "num_tokens": num_output_tokens(examples),
            "losses": losses, "norms": norms, **kept,
        })  # fmt: skip


def num_output_tokens(examples: list[TokenizedExample]) -> torch.Tensor:
    return torch.tensor([sum(label != IGNORED for label in e.labels) for e in examples], dtype=torch.int32)


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.safetensors"


def is_whole(path: Path) -> bool:
    """Whether a shard is there and its tensors have their bytes."""
    try:
        with safe_open(path, "pt") as shard:
            return bool(shard.keys())
    except (FileNotFoundError, SafetensorError):
        return False


def places_here() -> list[str]:
    """Every GPU that this process may use, each for a process of its own; without any, this process."""
    return gpu_sets() or [""]


def compute_shards(job: ShardJob, folder: Path, title: str) -> None:
    """Make the shards that are missing in `folder`."""
    candidates = Candidates(job.candidates, job.settings.shard_rows)
    missing = [n for n in range(candidates.num_shards) if not is_whole(shard_path(folder, n))]
    with Tracker(title, candidates.num_rows, "candidates") as tracker:
        tracker.go_on_from(min(candidates.num_rows, (candidates.num_shards - len(missing)) * job.settings.shard_rows))
        for number, content in made_shards(job, missing, places_here(), cpus=CPUS_OF_AN_ACTOR):
            write_bytes(content, shard_path(folder, number))
            tracker.advance(min(job.settings.shard_rows, candidates.num_rows - number * job.settings.shard_rows))
