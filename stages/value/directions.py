"""The targets' directions V_k, computed once for each checkpoint and kept in a file: what the candidates are scored by.

    examples, too_long = read_targets({"grade": Path("data/targets/grade.parquet")}, base, max_length)
    write_directions(base, checkpoint, examples, settings, folder, device)   # folder/directions.safetensors

Exact: part -> float32 (D, K), in the order of the targets. With a projection: features, float32 (K, projection_dim).
"""

from pathlib import Path

import torch
from safetensors.torch import save

from stages.core.command import StageError
from stages.core.files import write_bytes
from stages.core.tables import read_table
from stages.models.folders import compute_dtype, load_tokenizer
from stages.models.tokenization import TokenizedExample, tokenize
from stages.problems.target_examples import target_example
from stages.value.gradients import reduced_gradients
from stages.value.influence import mean_direction
from stages.value.projection import CountSketch
from stages.value.reference import Reference, load_reference
from stages.value.sections import GradientSettings

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
                f"tokens. Raise it, or take the target out of estimate_value.target."
            )
    return kept, too_long


def write_directions(
    base: Path, checkpoint: Path, targets: Targets, settings: GradientSettings, folder: Path, device: torch.device
) -> Path:
    """Write the directions in `folder`, unless they are there; returns their file."""
    path = folder / DIRECTIONS
    if not path.exists():
        reference = load_reference(base, checkpoint, device, compute_dtype(device))
        kept = (
            sketched(reference, targets, settings) if settings.projection_dim else exact(reference, targets, settings)
        )
        write_bytes(save({name: tensor.cpu().contiguous() for name, tensor in kept.items()}), path)
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
