"""Estimate the value of each candidate problem for the targets, by gradients of the reference model.

    python -m stages.value.estimate_value models/synthesizer/initial models/reference data/synthesis/candidates
        data/targets data/value/datastore OUT HISTOGRAM RECORD --target grade ...

Exact when the datastore is empty; else from its features, and then a target more costs its own gradients alone.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import torch

from stages.core.command import say, stage_command
from stages.core.tables import Row, TableWriter, write_json
from stages.core.work import file_hash, finish_work, work_folder
from stages.training.models import use_device
from stages.value.candidates import Candidates
from stages.value.datastore import check_header, header_of, shard_scores
from stages.value.directions import DIRECTIONS, read_targets, write_directions
from stages.value.reference import checkpoint_weights, checkpoints_of
from stages.value.settings import GradientSettings, gradient_options
from stages.value.shards import ShardJob, compute_shards, shard_path

BIN_WIDTH = 0.005


@stage_command("estimate_value")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("candidates_folder", metavar="CANDIDATES", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("datastore", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("histogram", type=click.Path(path_type=Path))
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--target", "target_names", multiple=True, required=True, help="A target task.")
@click.option("--aggregate", type=click.Choice(["max", "mean"]), required=True,
              help="A candidate's value from its values for the targets (LESS: max; paper: UNKNOWN).")  # fmt: skip
@gradient_options
def main(
    base: Path, reference: Path, candidates_folder: Path, targets: Path, datastore: Path, out: Path, histogram: Path,
    record: Path, target_names: tuple[str, ...], aggregate: str, settings: GradientSettings,
) -> None:  # fmt: skip
    """Write the value of each problem of CANDIDATES for the named TARGETS to OUT, a HISTOGRAM, and a RECORD of counts."""
    problems = candidates_folder / "problems.parquet"
    candidates = Candidates(problems, settings.shard_rows)
    header = header_of(base, reference, problems, settings)
    check_header(datastore, header)
    files = {name: targets / f"{name}.parquet" for name in target_names}
    examples, too_long = read_targets(files, base, settings.max_length)
    checkpoints = checkpoints_of(reference)
    say(f"estimate_value: {candidates.num_rows:,} candidates, {len(files)} targets, {len(checkpoints)} checkpoints")
    options = {**asdict(settings), "targets": target_names}
    inputs = [base, reference, problems, *files.values()]
    work = work_folder("estimate_value", inputs, options, [Path(__file__).parent])
    for checkpoint in checkpoints:
        folder = work / checkpoint.name
        directions = write_directions(base, checkpoint, examples, settings, folder, use_device())
        if not settings.projection_dim:
            job = ShardJob(base, checkpoint, problems, settings, directions)
            compute_shards(job, folder, f"estimate_value {checkpoint.name}")
    weights = dict(zip((path.name for path in checkpoints), checkpoint_weights(checkpoints), strict=True))
    source = datastore if settings.projection_dim else work
    bins: Counter[int] = Counter()
    reasons: Counter[str] = Counter()
    num_valued = 0
    with TableWriter("values", out) as writer:
        for shard in range(candidates.num_shards):
            found = shard_values(candidates, shard, source, work, weights, target_names, aggregate)
            rows = [row for row in found if math.isfinite(row["value"])]
            reasons["too_long"] += len(candidates.rows(shard)) - len(found)
            reasons["not_finite"] += len(found) - len(rows)
            writer.write_rows(rows)
            bins.update(int(row["value"] // BIN_WIDTH) for row in rows)
            num_valued += len(rows)
    write_histogram(bins, histogram)
    counts = {"num_candidates": candidates.num_rows, "num_valued": num_valued, "rejected": dict(+reasons)}
    described = {
        name: {"num_problems": len(examples[name]), "num_too_long": too_long[name], "sha256": file_hash(path)}
        for name, path in files.items()
    }
    write_json({**counts, "targets": described, "aggregate": aggregate, "header": header}, record)
    finish_work(work)
    say(f"estimate_value: valued {num_valued:,}, rejected {dict(+reasons)}; next: select_texts")


def shard_values(
    candidates: Candidates, shard: int, source: Path, work: Path, weights: dict[str, float], target_names: tuple[str, ...],
    aggregate: str,
) -> list[Row]:  # fmt: skip
    """The rows of one shard: the checkpoints' scores summed with their weights."""
    total: torch.Tensor | float = 0.0
    for checkpoint, weight in weights.items():
        directions = work / checkpoint / DIRECTIONS
        tensors, scores = shard_scores(shard_path(source / checkpoint, shard), directions)
        total = total + weight * scores
    assert isinstance(total, torch.Tensor)
    rows = candidates.rows(shard)
    kept = [rows[place] for place in tensors["places"].tolist()]
    columns = zip(
        kept, *(tensors[name].tolist() for name in ("num_tokens", "losses", "norms")), total.tolist(), strict=True
    )
    return [
        {
            "problem_id": row["problem_id"], "text_id": row["text_id"], "num_tokens": num_tokens, "loss": round(loss, 6),
            "gradient_norm": float(f"{norm:.6g}"), "value": round(max(scores) if aggregate == "max" else sum(scores) / len(scores), 7),
            # Rounded: the last bits of a sum may depend on the batch that an example falls into.
            "target_values": [{"target": name, "value": round(score, 7)} for name, score in zip(target_names, scores, strict=True)],
        }
        for row, num_tokens, loss, norm, scores in columns
    ]  # fmt: skip


def histogram_rows(bins: Counter[int]) -> Iterator[tuple[str, int]]:
    for number in range(min(bins, default=0), max(bins, default=0) + 1):
        yield f"{number * BIN_WIDTH:.4f}", bins[number]


def write_histogram(bins: Counter[int], path: Path) -> None:
    """Counts of values in equal bins, as CSV for `dvc plots`: value, num_problems."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["value", "num_problems"])
        writer.writerows(histogram_rows(bins))


if __name__ == "__main__":
    main()
