"""Training and generation on one GPU: Mistral-7B's shape, random weights, bfloat16, packed rows of 2,048 tokens.

    python -m bench.gpu                    # on a GPU of 80 GB or more
    python -m bench.gpu --quick            # two layers, on the CPU where there is no GPU

Training: all weights (weights, gradients and AdamW's moments in bfloat16, 8 bytes a parameter, with gradient checkpointing), and
LoRA of rank 128 on q, k, v, o. MFU is 6 FLOP a weight and token (4 for LoRA, whose frozen weights take no gradient) and causal
attention, not counting what is recomputed, against the chip's rate in one large matrix product. Generation: transformers, 256
prompts. One JSON object on the last line.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from peft import LoraConfig, get_peft_model
from transformers import MistralConfig, MistralForCausalLM

from stages.generation.interface import Prompt, Sampling
from stages.generation.transformers_engine import TransformersEngine
from stages.models.folders import has_bf16, save_model, use_device
from stages.models.packed_agreement import LORA_MODULES
from stages.models.packed_attention import borders, use_packed_attention
from stages.models.shape import Shape
from stages.project.hardware import matrix_rate
from tests.tiny import tiny_tokenizer

WARM_UP, STEPS = 2, 6


def config_of(quick: bool) -> MistralConfig:
    hidden, intermediate, layers, heads, key_value = (64, 128, 2, 4, 2) if quick else (4096, 14336, 32, 32, 8)
    return MistralConfig(
        vocab_size=32_000, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=key_value, max_position_embeddings=8192, sliding_window=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip


def random_model(config: MistralConfig, device: torch.device) -> MistralForCausalLM:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if has_bf16() else torch.float32)
    with device:
        model = MistralForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model


def packed_batch(rows: int, row_tokens: int, seed: int, device: torch.device) -> dict[str, Any]:
    """Full rows of examples of 200 to 1,500 tokens, three quarters of each learnt."""
    rng, lengths = random.Random(seed), []
    for _ in range(rows):
        left = row_tokens
        while left:
            lengths.append(left if left < 400 else min(left, rng.randint(200, min(1500, row_tokens))))
            left -= lengths[-1]
    positions = torch.cat([torch.arange(length) for length in lengths])
    total = len(positions)
    is_learnt = torch.cat([torch.arange(length) > length // 4 for length in lengths])
    ids = torch.randint(3, 32_000, (total,), generator=torch.Generator().manual_seed(seed))
    return {
        "input_ids": ids.unsqueeze(0).to(device), "position_ids": positions.unsqueeze(0).to(device),
        "logits_to_keep": (is_learnt.nonzero()[:, 0] - 1).to(device), "labels": ids[is_learnt].to(device), **borders(lengths, device),
    }  # fmt: skip


def train_steps(model: torch.nn.Module, batches: list[dict[str, Any]], device: torch.device) -> dict[str, float]:
    """A batch each step: kernels that are made anew for each length of an example show."""
    coming = iter(batches)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=device.type == "cuda"
    )

    def step() -> None:
        batch = next(coming)
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        logits = model(**inputs, use_cache=False).logits[0].float()
        torch.nn.functional.cross_entropy(logits, batch["labels"]).backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = seconds_of(step, device)
    peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    return {"tokens_per_second": batches[0]["input_ids"].numel() / seconds, "peak_gb": peak}


def seconds_of(run: Callable[[], None], device: torch.device) -> float:
    for _ in range(WARM_UP):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(STEPS):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / STEPS


def flop_per_token(config: MistralConfig, lengths: list[int], per_weight: int) -> float:
    """Of training: weights, and causal attention (2 products of half a square, forward, and twice that backward)."""
    squares = sum(length**2 for length in lengths) / sum(lengths)
    attention = 3 * 2 * config.num_hidden_layers * config.hidden_size * squares
    return per_weight * Shape.of(config.to_dict()).num_active + attention


def generation_rate(config: MistralConfig, device: torch.device, quick: bool) -> float:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        save_model(random_model(config, device), tiny_tokenizer(), folder, {})
        engine = TransformersEngine(folder)
    count, tokens = (8, 8) if quick else (256, 128)
    prompts = [Prompt(f"Tom has {i} apples and buys more. " * (1 + i % 8), i) for i in range(count)]
    engine.run(prompts[:4], Sampling(4, 1.0))
    started = time.perf_counter()
    outputs = engine.run(prompts, Sampling(tokens, 1.0, 0.95))
    return sum(output.num_tokens for output in outputs) / (time.perf_counter() - started)


@click.command()
@click.option("--quick", is_flag=True, help="Two layers and short rows.")
@click.option("--rows", default=8, show_default=True, help="Rows of 2,048 tokens in a step.")
def main(quick: bool, rows: int) -> None:
    """Measure, and print one JSON object on the last line."""
    device, config = use_device(), config_of(quick)
    num_rows, row_tokens = (2, 256) if quick else (rows, 2048)
    batches = [packed_batch(num_rows, row_tokens, seed, device) for seed in range(WARM_UP + STEPS)]
    lengths = [length for batch in batches[WARM_UP:] for length in batch["lengths"]]
    rate = matrix_rate(device)
    figures: dict[str, dict[str, float]] = {}
    for name, per_weight in (("full", 6), ("lora", 4)):
        model: Any = random_model(config, device)
        use_packed_attention(model)
        model.gradient_checkpointing_enable({"use_reentrant": False})
        if name == "lora":
            model = get_peft_model(
                model,
                LoraConfig(
                    r=8 if quick else 128, lora_alpha=512, target_modules=list(LORA_MODULES), task_type="CAUSAL_LM"
                ),
            )
            model.enable_input_require_grads()
        model.train()
        figures[name] = train_steps(model, batches, device)
        figures[name]["mfu"] = figures[name]["tokens_per_second"] * flop_per_token(config, lengths, per_weight) / rate
        del model
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    print(json.dumps({
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "is_quick": quick,
        "num_active": Shape.of(config.to_dict()).num_active, "matrix_tflops": round(rate / 1e12, 2), **{k: {n: round(v, 4) for n, v in f.items()} for k, f in figures.items()},
        "generated_tokens_per_second": round(generation_rate(config, device, quick), 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
