"""The values of a seed's pool for `bench.selection_for_training`: many settings of value from one backward pass an example.

    write_scores(base, checkpoint, split, settings, folder)                # shards of SHARD_ROWS candidates; those there stay
    write_values(split, {folder: 1.0}, "adam", ["gsm8k"], "max", out)      # a table of `values` of one setting

The directions, AdamW's steps and cosines are the stages' own (stages/value); a variant is another step, or fewer layers.
Shapes: B examples, D numbers of a part, K targets.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from transformers import PreTrainedTokenizerBase

from stages.core.command import say
from stages.core.files import write_bytes
from stages.core.schemas import Row
from stages.core.table_writer import write_table
from stages.models.folders import compute_dtype, load_tokenizer, use_device
from stages.value.candidates import Candidates
from stages.value.directions import DirectionsJob, read_targets, write_directions
from stages.value.gradients import Precondition, reduced_gradients
from stages.value.influence import Cosines, Directions, adam_steps
from stages.value.reference import Reference, load_reference
from stages.value.sections import GradientSettings
from stages.value.shards import is_whole, num_output_tokens, shard_path

SHARD_ROWS = 32  # what a kill can cost
VARIANTS = ("adam", "sgd", "adam_upper")
LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Variant:
    """One setting of value: the layers that count, and the step on a gradient; None: the gradient itself."""

    cosines: Cosines
    precondition: Precondition | None


class Variants:
    """A reduction to the cosines of several variants, one behind the other: (B, variants * K)."""

    def __init__(self, variants: list[Variant]) -> None:
        self.variants = variants

    def begin(self, num_examples: int, device: torch.device) -> None:
        for variant in self.variants:
            variant.cosines.begin(num_examples, device)

    def add(self, part: str, piece_BD: torch.Tensor) -> None:
        steps: dict[Precondition | None, torch.Tensor] = {None: piece_BD}
        for variant in self.variants:
            if part in variant.cosines.directions:
                if variant.precondition and variant.precondition not in steps:
                    steps[variant.precondition] = variant.precondition(part, piece_BD.clone())
                variant.cosines.add(part, steps[variant.precondition])

    def rows(self) -> torch.Tensor:
        return torch.cat([variant.cosines.rows() for variant in self.variants], dim=1)


def variants_of(reference: Reference, directions: Directions) -> Variants:
    """Those of VARIANTS, in order. Upper: the last third of the layers."""
    step = adam_steps(reference)
    layer_of = {part: int(found[1]) for part in directions if (found := LAYER.search(part))}
    first_upper = (max(layer_of.values()) + 1) * 2 // 3

    def cosines(is_taken: Callable[[str], object]) -> Cosines:
        return Cosines({part: piece_DK for part, piece_DK in directions.items() if is_taken(part)})

    return Variants([
        Variant(cosines(lambda part: True), step), Variant(cosines(lambda part: True), None),
        Variant(cosines(lambda part: layer_of.get(part, 0) >= first_upper), step),
    ])  # fmt: skip


def targets_in(split: Path) -> dict[str, Path]:
    """The targets' tables, in the order of the scores."""
    return {path.stem: path for path in sorted((split / "targets").glob("*.parquet"))}


def write_scores(base: Path, checkpoint: Path, split: Path, settings: GradientSettings, folder: Path) -> None:
    """The shards that are missing in `folder`: places, num_tokens, losses, norms, and scores (n, VARIANTS * targets)."""
    candidates = Candidates(split / "candidates/problems.parquet", SHARD_ROWS)
    missing = [n for n in range(candidates.num_shards) if not is_whole(shard_path(folder, n))]
    if not missing:
        return
    device, tokenizer = use_device(), load_tokenizer(base)
    examples, _ = read_targets(targets_in(split), base, settings.max_length)
    directions = write_directions(DirectionsJob(base, checkpoint, examples, settings), folder)
    reference = load_reference(base, checkpoint, device, compute_dtype(device))
    variants = variants_of(reference, load_file(directions, device=str(device)))
    for number in missing:
        content = _shard(reference, variants, candidates, number, tokenizer, settings)
        write_bytes(content, shard_path(folder, number))
        say(f"{folder}: shard {number + 1:,} of {candidates.num_shards:,}")


def _shard(
    reference: Reference, variants: Variants, candidates: Candidates, number: int, tokenizer: PreTrainedTokenizerBase,
    settings: GradientSettings,
) -> bytes:  # fmt: skip
    places, examples = candidates.examples(number, tokenizer, settings.max_length)
    found: dict[str, list[torch.Tensor]] = {"losses": [], "norms": [], "scores": []}
    order: list[int] = []
    for batch in reduced_gradients(reference, examples, settings.token_budget, variants, loss=settings.loss):
        order += batch.indices
        for name, rows in (("losses", batch.losses_B), ("norms", batch.norms_B), ("scores", batch.rows_BF)):
            found[name].append(rows.cpu())
    back = torch.tensor(order).argsort()
    return save({
        "places": torch.tensor(places, dtype=torch.int32), "num_tokens": num_output_tokens(examples),
        **{name: torch.cat(parts)[back] for name, parts in found.items()},
    })  # fmt: skip


def write_values(
    split: Path, weights: dict[Path, float], variant: str, targets: Sequence[str], aggregate: str, out: Path
) -> None:
    """Write the table `values` of one setting: the scores in the folders summed by their weights, over these targets."""
    names = list(targets_in(split))
    columns = [VARIANTS.index(variant) * len(names) + names.index(target) for target in targets]
    candidates = Candidates(split / "candidates/problems.parquet", SHARD_ROWS)
    rows: list[Row] = []
    for number in range(candidates.num_shards):
        shards = {folder: load_file(shard_path(folder, number)) for folder in weights}
        total = sum(weight * shards[folder]["scores"][:, columns] for folder, weight in weights.items())
        assert isinstance(total, torch.Tensor)
        last = shards[list(weights)[-1]]
        problems = candidates.rows(number)
        for at, place in enumerate(last["places"].tolist()):
            rows.append(
                _value_row(problems[place], last, at, dict(zip(targets, total[at].tolist(), strict=True)), aggregate)
            )
    write_table("values", rows, out)


def write_lengths(split: Path, base: Path, targets: Sequence[str], out: Path) -> None:
    """The table `values` of what needs no gradient: lengths alone, every value 0."""
    candidates, tokenizer = Candidates(split / "candidates/problems.parquet", SHARD_ROWS), load_tokenizer(base)
    rows: list[Row] = []
    for number in range(candidates.num_shards):
        places, examples = candidates.examples(number, tokenizer, 1 << 30)
        zeros = dict.fromkeys(("losses", "norms"), torch.zeros(len(places)))
        shard = {"num_tokens": num_output_tokens(examples), **zeros}
        problems = candidates.rows(number)
        rows += [
            _value_row(problems[place], shard, at, dict.fromkeys(targets, 0.0), "max")
            for at, place in enumerate(places)
        ]
    write_table("values", rows, out)


def _value_row(problem: Row, shard: dict[str, torch.Tensor], at: int, scores: dict[str, float], aggregate: str) -> Row:
    values = list(scores.values())
    return {
        "problem_id": problem["problem_id"], "text_id": problem["text_id"], "num_tokens": int(shard["num_tokens"][at]),
        "loss": float(shard["losses"][at]), "gradient_norm": float(shard["norms"][at]),
        "value": max(values) if aggregate == "max" else sum(values) / len(values),
        "target_values": [{"target": name, "value": value} for name, value in scores.items()],
    }  # fmt: skip
