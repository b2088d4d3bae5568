"""Values against the floor of a backward pass, against LESS's own method, and against the libraries.

    python -m bench.value_speed            # the tiny and the small model, every method
    python -m bench.value_speed --quick    # the tiny model, under 50 s
    python -m bench.value_speed --model smollm2 --examples 16 --rounds 1    # SmolLM2-135M's shape, alone: no rivals, no float64

The floor is forward and backward on the same batches to the same activations, LoRA merged, logits where an output token is
predicted, and nothing for single examples. Every method takes the same examples, in turns in one process with the same
threads; a ratio is the median of the rounds' ratios. The rivals come from an environment of their own, with this
project's requirements:

    uv pip install -r pyproject.toml -c constraints.txt bergson==2.5.1 opacus==1.6.0 traker==0.3.2

A rival that is not installed is left out and its ratio is null. Fractions of the floor are in examples a second; the last
line is a JSON object, its first keys those of the tiny model (spearman: of exact values to a float64 brute force).
"""

import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from scipy.stats import spearmanr

from bench.value_material import RANK, SHAPES, random_examples, write_models
from bench.value_rivals import PROJECT_INTERVAL, RIVALS, Setting
from stages.models.folders import use_device
from stages.models.tokenization import TokenizedExample
from stages.value.gradients import batches_of, reduced_gradients
from stages.value.influence import Cosines, mean_direction, precondition_by
from stages.value.projection import CountSketch
from stages.value.reference import Reference, load_reference
from tests.valuing import as_brute_force, brute_force, plain_losses

TOKEN_BUDGET = 2048
NUM_TARGETS = 2
Method = Callable[[list[TokenizedExample]], Any]


def floor_method(reference: Reference, token_budget: int = TOKEN_BUDGET) -> Method:
    """Forward and backward alone, to the outputs of the lowest adapted layers."""
    lowest = [reference.model.get_submodule(tap.name) for tap in reference.taps if is_lowest(tap.name)]

    def end_here(_: torch.nn.Module, __: Any, output: torch.Tensor) -> None:
        output.requires_grad_()

    def run(examples: list[TokenizedExample]) -> None:
        handles = [module.register_forward_hook(end_here) for module in lowest]
        for batch in batches_of(examples, token_budget):
            plain_losses(reference.model, [examples[i] for i in batch]).sum().backward()
        for handle in handles:
            handle.remove()

    return run


def is_lowest(layer: str) -> bool:
    """Whether a layer reads the embeddings alone: the first block's q, k and v."""
    return ".layers.0." in f".{layer}" and layer.endswith(("q_proj", "k_proj", "v_proj"))


def own_method(reference: Reference, directions: dict[str, torch.Tensor], kind: str) -> Method:
    """Exact cosines with SGD or Adam, or Adam and a sketch to 8192; returns (examples, K) or (examples, 8192)."""
    reduction = CountSketch(8192, 1) if kind == "sketch" else Cosines(directions)
    precondition = precondition_by("sgd" if kind == "sgd" else "adam", reference)

    def run(examples: list[TokenizedExample]) -> torch.Tensor:
        rows: dict[int, torch.Tensor] = {}
        for batch in reduced_gradients(reference, examples, TOKEN_BUDGET, reduction, precondition):
            rows |= dict(zip(batch.indices, batch.rows_BF, strict=True))
        return torch.stack([rows[i] for i in range(len(examples))])

    return run


def directions_of(reference: Reference, setting: Setting) -> dict[str, torch.Tensor]:
    found = [mean_direction(reference, examples, TOKEN_BUDGET) for examples in setting.targets]
    return {part: torch.stack([one[part] for one in found], dim=1) for part in found[0]}


def measure(setting: Setting, num_rounds: int, threads: int, rank: int, has_rivals: bool) -> dict[str, Any]:
    """Each method's examples a second over the floor's, and the agreement of exact values with the rivals'."""
    reference = load_reference(setting.base, setting.checkpoint, use_device(threads))
    directions = directions_of(reference, setting)
    flat = as_brute_force(reference, {part: v_DK.T.contiguous() for part, v_DK in directions.items()}, rank)
    methods: dict[str, Method] = {kind: own_method(reference, directions, kind) for kind in ("sgd", "adam", "sketch")}
    slow: dict[str, Method] = {}
    missing = []
    for name, (build, is_slow) in RIVALS.items() if has_rivals else ():
        try:
            (slow if is_slow else methods)[name] = build(setting, flat)
        except ImportError as error:
            missing.append(f"{name} ({error.name})")
    run_floor, exact = floor_method(reference), methods["sgd"](setting.examples)
    agreement = {
        name: round(float(spearmanr(method(setting.examples)[:, 0], exact[:, 0]).statistic), 4)
        for name, method in methods.items() if name not in ("sgd", "adam", "sketch")
    }  # fmt: skip
    run_floor(setting.examples)
    methods["adam"](setting.examples)
    fractions: dict[str, list[float]] = {name: [] for name in (*methods, *slow)}
    for _ in range(num_rounds):
        floor = seconds_of(run_floor, setting.examples)
        for name, method in methods.items():
            # Against the mean of the floors before and after: a machine's speed drifts.
            taken = seconds_of(method, setting.examples)
            after = seconds_of(run_floor, setting.examples)
            fractions[name].append((floor + after) / 2 / taken)
            floor = after
    for name, method in slow.items():
        few = setting.examples[:PROJECT_INTERVAL]
        floor = seconds_of(run_floor, setting.examples)
        tokens = [sum(len(e.input_ids) for e in some) for some in (setting.examples, few)]
        fractions[name].append(floor * tokens[1] / tokens[0] / seconds_of(method, few))
    return {
        "fractions": {name: round(statistics.median(numbers), 4) for name, numbers in fractions.items()},
        "spread": {name: [round(min(numbers), 3), round(max(numbers), 3)] for name, numbers in fractions.items()},
        "agreement_with_ours": agreement, "missing": missing, "num_parameters": reference.num_parameters,
        "threads": torch.get_num_threads(),
    }  # fmt: skip


def seconds_of(method: Method, examples: list[TokenizedExample]) -> float:
    """CPU-seconds: other work on the machine moves them less than the clock."""
    started = time.process_time()
    method(examples)
    return time.process_time() - started


def agreement_with_float64(setting: Setting, count: int) -> dict[str, float]:
    """Spearman's correlation and the overlap of the top tenth, of exact SGD values with a float64 brute force."""
    examples = setting.examples[:count]
    reference = load_reference(setting.base, setting.checkpoint, torch.device("cpu"))
    values = own_method(reference, directions_of(reference, setting), "sgd")(examples)[:, 0]
    gradients = brute_force(setting.base, setting.checkpoint, examples)
    targets = brute_force(setting.base, setting.checkpoint, setting.targets[0])
    direction = (targets / targets.norm(dim=1, keepdim=True)).mean(dim=0)
    expected = torch.nn.functional.cosine_similarity(gradients, direction, dim=1)
    top = max(1, count // 10)
    common = set(values.topk(top).indices.tolist()) & set(expected.topk(top).indices.tolist())
    return {"spearman": round(float(spearmanr(values, expected).statistic), 6), "top_tenth": len(common) / top}


def ratio(fractions: dict[str, float], rival: str, digits: int = 3) -> float | None:
    return round(fractions["sgd"] / fractions[rival], digits) if rival in fractions else None


@click.command()
@click.option("--quick", is_flag=True, help="The tiny model, few rounds.")
@click.option("--model", "models", multiple=True, type=click.Choice(list(SHAPES)), default=("tiny", "small"))
@click.option("--rounds", type=int, default=9, show_default=True)
@click.option(
    "--threads", type=int, default=1, show_default=True, help="Torch's; more than one are noisy on shared machines."
)
@click.option("--rank", type=click.IntRange(min=1), default=RANK, show_default=True, help="Of LoRA.")
@click.option("--examples", "count", type=click.IntRange(min=16), default=32, show_default=True)
def main(quick: bool, models: tuple[str, ...], rounds: int, threads: int, rank: int, count: int) -> None:
    """Measure, and print one JSON object on the last line."""
    logging.disable(logging.WARNING)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the rivals compute on the CPU; bench/gpu_value.py is for a GPU
    figures: dict[str, Any] = {}
    for name in models[:1] if quick else models:
        with tempfile.TemporaryDirectory() as folder:
            shape = SHAPES[name]
            base, checkpoint = write_models(shape, Path(folder), rank)
            count = 16 if quick else count
            targets = [random_examples(shape, 4, seed) for seed in range(1, NUM_TARGETS + 1)]
            setting = Setting(base, checkpoint, random_examples(shape, count), targets, TOKEN_BUDGET)
            figures[name] = measure(setting, 1 if quick else rounds, threads, rank, not shape.is_large)
            if not shape.is_large:
                figures[name] |= agreement_with_float64(setting, count)
            click.echo(f"{name}: {figures[name]}", err=True)
    first = figures[models[0]]
    fractions = first["fractions"]
    print(json.dumps({
        "fraction_of_floor": fractions["sgd"], "fraction_of_floor_adam": fractions["adam"],
        "ratio_to_less": ratio(fractions, "less", 1), "ratio_to_bergson": ratio(fractions, "bergson"),
        "ratio_to_opacus": ratio(fractions, "opacus"), "spearman": first.get("spearman"), "top_tenth": first.get("top_tenth"),
        "models": figures,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
