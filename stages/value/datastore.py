"""The datastore: every candidate's projected gradient, kept for targets that nobody has thought of yet.

    data/value/datastore/header.json                         what it is of; below
    data/value/datastore/checkpoint-1/part-00000.safetensors a shard (stages/value/shards.py), memory-mapped when read

The header: {"settings": {"projection_dim": 8192, "projection_dtype": "float16", ...}, "model": "<sha256>",
"checkpoints": {"checkpoint-1": {"sha256": "...", "weight": 1.0}}, "candidates": "<sha256>", "num_rows": 1012}. Where it
differs from the model, candidates or settings at hand in any key, nothing is read. With projection_dim 0 there is the
header alone, and values are exact.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from stages.core.command import StageError
from stages.core.hashes import file_hash
from stages.value.candidates import Candidates
from stages.value.projection import decode
from stages.value.reference import checkpoint_weights, checkpoints_of
from stages.value.sections import GradientSettings

HEADER = "header.json"


def header_of(base: Path, reference: Path, candidates: Path, settings: GradientSettings) -> dict[str, Any]:
    """What gradients of these candidates by this reference model are of."""
    checkpoints = checkpoints_of(reference)
    weights = checkpoint_weights(checkpoints)
    return {
        "settings": asdict(settings),
        "model": file_hash(base),
        "checkpoints": {
            path.name: {"sha256": file_hash(path), "weight": round(weight, 9)}
            for path, weight in zip(checkpoints, weights, strict=True)
        },
        "candidates": file_hash(candidates),
        "num_rows": Candidates(candidates, settings.shard_rows).num_rows,
    }


def check_header(datastore: Path, expected: dict[str, Any]) -> None:
    """Refuse a datastore of another model, other checkpoints, candidates or settings."""
    path = datastore / HEADER
    if not path.is_file():
        raise StageError(f"{path} is missing. Run `dvc repro build_datastore`.")
    found = json.loads(path.read_text())
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise StageError(
                f"{path}: {key} is {found.get(key)}, but here it is {expected.get(key)}. "
                f"A datastore cannot be mixed: run `dvc repro build_datastore`."
            )


def shard_scores(shard: Path, directions: Path) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A shard's tensors and the scores of its candidates, (n, K): as they are, or from features and targets' sketches."""
    tensors = load_file(shard)
    if "scores" in tensors:
        return tensors, tensors["scores"]
    directions_KF = load_file(directions)["features"]
    if not len(tensors["places"]):
        return tensors, torch.zeros(0, len(directions_KF))
    return tensors, decode(tensors) @ directions_KF.T / directions_KF.norm(dim=1).clamp(min=1e-30)
