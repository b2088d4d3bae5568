"""Value estimation at the paper's size on a GPU: examples a second, against the floor and against the chip.

    python -m bench.gpu_value                    # Llama-2-7B's shape, random weights, bf16, LoRA r=128 on q, k, v, o
    python -m bench.gpu_value --quick            # a two-layer model, on the CPU where there is no GPU

Lengths are uniform in 512-2048 tokens, three quarters of them output. The floor is forward and backward alone on the same
batches (bench/value_speed.py). The chip's rate is measured with one large matrix product in bfloat16; the share is that of
the floor's own arithmetic (4 FLOP a weight and token, attention and logits beside) done in the time that values take. Prints
one JSON object on the last line.
"""

import json
import random
import statistics
import time
from collections.abc import Callable

import click
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bench.value_speed import floor_method
from stages.models.folders import compute_dtype
from stages.models.tokenization import IGNORED, TokenizedExample
from stages.project.hardware import matrix_rate
from stages.value.gradients import reduced_gradients
from stages.value.influence import Cosines, adam_steps
from stages.value.projection import CountSketch
from stages.value.reference import Reference, merge_and_tap

NUM_TARGETS, VOCABULARY = 8, 32_000
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")


def config_of(quick: bool) -> LlamaConfig:
    sizes = (128, 256, 2, 4) if quick else (4096, 11008, 32, 32)
    hidden, intermediate, layers, heads = sizes
    return LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=4096,
    )  # fmt: skip


def random_reference(config: LlamaConfig, rank: int, device: torch.device) -> Reference:
    """A model of random weights with random LoRA weights and moments, made on the device."""
    torch.manual_seed(0)
    torch.set_default_dtype(compute_dtype(device))
    with device:
        model = LlamaForCausalLM(config)
        pairs = {}
        for name, layer in model.named_modules():
            if name.endswith(MODULES):
                num_outputs, num_inputs = layer.weight.shape
                pairs[name] = (0.02 * torch.randn(rank, num_inputs), 0.02 * torch.randn(num_outputs, rank))
        taps = merge_and_tap(model, pairs, 4.0)
        torch.set_default_dtype(torch.float32)
        moments = {}
        for tap in taps:
            for part, size in zip(tap.part_names, tap.part_sizes, strict=True):
                moments[part] = (1e-4 * torch.randn(size), 1e-8 * torch.rand(size))
    return Reference(model, taps, moments, 100, (0.9, 0.98))


def examples_of(count: int, low: int, high: int) -> list[TokenizedExample]:
    rng = random.Random(0)
    examples = []
    for _ in range(count):
        ids = [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high))]
        examples.append(TokenizedExample(ids, [IGNORED] * (len(ids) // 4) + ids[len(ids) // 4 :]))
    return examples


def seconds_of(run: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    def once() -> float:
        started = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    once()
    return statistics.median(once() for _ in range(repeats))


def floor_flop(reference: Reference, examples: list[TokenizedExample]) -> float:
    """Forward and backward to the activations: 4 FLOP a weight and token; 3.5 times causal attention's forward; logits."""
    config, model = reference.model.config, reference.model
    layers = sum(p.numel() for p in model.base_model.layers.parameters())  # type: ignore[union-attr, operator]
    lengths = [len(example.input_ids) for example in examples]
    outputs = sum(sum(label != IGNORED for label in example.labels) for example in examples)
    attention = sum(3.5 * 2 * config.num_hidden_layers * config.hidden_size * length**2 for length in lengths)  # type: ignore[union-attr, operator]
    return 4.0 * layers * sum(lengths) + attention + 4.0 * config.hidden_size * config.vocab_size * outputs  # type: ignore[union-attr, operator]


@click.command()
@click.option("--quick", is_flag=True, help="A two-layer model and short examples.")
@click.option("--token-budget", default=8192, show_default=True, help="Padded tokens of a batch.")
def main(quick: bool, token_budget: int) -> None:
    """Measure, and print one JSON object on the last line."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reference = random_reference(config_of(quick), 8 if quick else 128, device)
    examples = examples_of(8, 64, 256) if quick else examples_of(32, 512, 2048)
    dtype = torch.float32
    directions = {
        part: torch.randn(first.numel(), NUM_TARGETS, device=device, dtype=dtype)
        for part, (first, _) in reference.moments.items()
    }
    rate = matrix_rate(device, 512 if quick else 8192)
    floor = floor_method(reference, token_budget)
    seconds = {"floor": seconds_of(lambda: floor(examples), device)}
    for name, reduction, precondition in (
        ("sgd", Cosines(directions), None),
        ("adam", Cosines(directions), adam_steps(reference)),
        ("sketch_8192", CountSketch(8192, 1), adam_steps(reference)),
    ):

        def run(reduction=reduction, precondition=precondition) -> None:  # type: ignore[no-untyped-def]
            for _ in reduced_gradients(reference, examples, token_budget, reduction, precondition):
                pass

        seconds[name] = seconds_of(run, device)
    flop = floor_flop(reference, examples)
    print(json.dumps({
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "is_quick": quick,
        "num_lora_parameters": reference.num_parameters, "matrix_tflops": round(rate / 1e12, 3),
        "examples_per_second": {name: round(len(examples) / taken, 3) for name, taken in seconds.items()},
        "fraction_of_floor": {name: round(seconds["floor"] / taken, 4) for name, taken in seconds.items()},
        "fraction_of_matrix_rate": {name: round(flop / taken / rate, 4) for name, taken in seconds.items()},
        "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if device.type == "cuda" else None,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
