"""How well projected values agree with exact ones, by dimension and type of the stored features.

    python -m bench.value_projection            # the tiny model, 400 candidates, five dimensions, three seeds
    python -m bench.value_projection --quick    # 60 candidates, three dimensions, one seed

Spearman's correlation and the overlap of the top tenth with the exact Adam cosines, and the bytes of a candidate. Random
weights and texts are the hard case: their values lie close together. With --data FOLDER the candidates, targets and
reference model of a pipeline that was run there (`dvc repro estimate_value`) are taken instead. Prints one JSON object on the
last line.
"""

import json
import statistics
import tempfile
from pathlib import Path

import click
import torch
from scipy.stats import spearmanr

from bench.value_material import SHAPES, random_examples, write_models
from stages.models.folders import load_tokenizer, use_device
from stages.models.tokenization import TokenizedExample
from stages.value.candidates import Candidates
from stages.value.directions import read_targets
from stages.value.gradients import Reduction, reduced_gradients
from stages.value.influence import Cosines, adam_steps, mean_direction
from stages.value.projection import CountSketch, decode, encode
from stages.value.reference import Reference, checkpoints_of, load_reference

TOKEN_BUDGET = 4096
DIMENSIONS, DTYPES = (2048, 4096, 8192, 16384, 32768), ("float32", "float16", "int8")


def rows_by(
    reference: Reference, examples: list[TokenizedExample], reduction: Reduction, is_target: bool
) -> torch.Tensor:
    """The reduction's rows of all examples: of targets' plain gradients, of candidates' Adam steps."""
    precondition = None if is_target else adam_steps(reference)
    rows: dict[int, torch.Tensor] = {}
    for batch in reduced_gradients(reference, examples, TOKEN_BUDGET, reduction, precondition):
        rows |= dict(zip(batch.indices, batch.rows_BF, strict=True))
    return torch.stack([rows[i] for i in range(len(examples))]).cpu()


def agreement(found: torch.Tensor, exact: torch.Tensor) -> tuple[float, float]:
    top = max(1, len(exact) // 10)
    common = set(found.topk(top).indices.tolist()) & set(exact.topk(top).indices.tolist())
    return float(spearmanr(found, exact).statistic), len(common) / top


def compare(
    reference: Reference, candidates: list[TokenizedExample], targets: list[TokenizedExample],
    dimensions: tuple[int, ...], seeds: range,
) -> list[dict[str, float | str | int]]:  # fmt: skip
    direction = mean_direction(reference, targets, TOKEN_BUDGET)
    exact = rows_by(reference, candidates, Cosines({p: v.unsqueeze(1) for p, v in direction.items()}), False)[:, 0]
    table: list[dict[str, float | str | int]] = []
    for dimension in dimensions:
        found: dict[str, list[tuple[float, float]]] = {dtype: [] for dtype in DTYPES}
        for seed in seeds:
            sketch = CountSketch(dimension, seed)
            features = rows_by(reference, candidates, sketch, False)
            goal = rows_by(reference, targets, sketch, True).mean(dim=0)
            for dtype in DTYPES:
                found[dtype].append(agreement(decode(encode(features, dtype)) @ goal, exact))
        for dtype in DTYPES:
            stored = encode(features[:1], dtype)
            num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
            spearman, top = (round(statistics.mean(numbers), 4) for numbers in zip(*found[dtype], strict=True))
            table.append(
                {"dimension": dimension, "dtype": dtype, "bytes": num_bytes, "spearman": spearman, "top_tenth": top}
            )
            click.echo(table[-1], err=True)
    return table


@click.command()
@click.option("--quick", is_flag=True, help="Few candidates, dimensions and seeds.")
@click.option("--data", type=click.Path(path_type=Path), help="A folder where the pipeline was run.")
def main(quick: bool, data: Path | None) -> None:
    """Compare, and print one JSON object on the last line."""
    device = use_device()
    dimensions, seeds = (DIMENSIONS[:3], range(1)) if quick else (DIMENSIONS, range(3))
    if data:
        base = data / "models/synthesizer/initial"
        reference = load_reference(base, checkpoints_of(data / "models/reference")[-1], device)
        problems = Candidates(data / "data/synthesis/candidates/problems.parquet", 10**9)
        candidates = problems.examples(0, load_tokenizer(base), 1024)[1]
        files = {path.stem: path for path in sorted((data / "data/targets").glob("*.parquet"))}
        targets = [example for some in read_targets(files, base, 1024)[0].values() for example in some]
        table = compare(reference, candidates, targets, dimensions, seeds)
    else:
        with tempfile.TemporaryDirectory() as folder:
            reference = load_reference(*write_models(SHAPES["tiny"], Path(folder)), device)
            candidates = random_examples(SHAPES["tiny"], 60 if quick else 400)
            table = compare(reference, candidates, random_examples(SHAPES["tiny"], 8, 1), dimensions, seeds)
    print(json.dumps({"num_candidates": len(candidates), "num_parameters": reference.num_parameters, "table": table}))


if __name__ == "__main__":
    main()
