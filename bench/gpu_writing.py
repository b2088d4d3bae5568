"""Writing on one GPU as `synthesize` writes: vLLM in process with prefix caching, against what `ninechapters plan` expects of the card.

    python -m bench.gpu_writing                  # DeepSeekMath-7B's shape, random weights, prompts of 364 tokens, 769 written
    python -m bench.gpu_writing --quick          # two layers; transformers on the CPU where there is no GPU

The vocabulary is that of a small tokenizer, so that every token has a text. Random weights seldom end a text, so all of `max_tokens` are written, which a rate wants. A second run over the same prompts finds
them in the prefix cache: its gain is the time of reading them. `planned_tokens_per_second` is the roofline of
stages/project/writing_time.py; `planned_bound` says which of its shares a measured rate corrects. One JSON object on the last line.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stages.generation.interface import Prompt, Sampling
from stages.generation.transformers_engine import TransformersEngine
from stages.generation.vllm_engine import VllmEngine, has_vllm
from stages.models.folders import save_model, use_device
from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import GPUS, Hardware, copy_rate, matrix_rate
from stages.project.profile_shapes import PUBLISHED
from stages.project.writing_time import Writer
from tests.tiny import tiny_tokenizer

SNIPPET = "Tom has 3 apples and buys 4 more at the market. "
QUICK = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 2048,
}


def model_folder(folder: Path, quick: bool) -> Path:
    """A model of random weights in bfloat16, made on the device."""
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    sizes = {**(QUICK if quick else PUBLISHED["deepseek-math-7b-rl"]), "vocab_size": len(tokenizer)}
    torch.set_default_dtype(torch.bfloat16)
    with use_device():
        model = LlamaForCausalLM(
            LlamaConfig(**sizes, max_position_embeddings=4096, bos_token_id=1, eos_token_id=2, pad_token_id=0)
        )
    torch.set_default_dtype(torch.float32)
    save_model(model, tokenizer, folder / "model", {}, dtype=torch.bfloat16)
    del model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return folder / "model"


def prompts_of(count: int, num_tokens: int) -> list[Prompt]:
    """Prompts that begin alike, as a synthesizer's do, and then differ."""
    tokenizer = tiny_tokenizer()
    length = len(tokenizer(SNIPPET, add_special_tokens=False)["input_ids"])
    return [Prompt(f"## grade cot\n{i} {SNIPPET * max(1, num_tokens // length)}", seed=i) for i in range(count)]


def hardware_of_card(device: torch.device) -> Hardware:
    """The card's own figures from its data sheet where it is known, else measured."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    for known, figures in GPUS.items():
        if known.removeprefix("rtx") in name.lower().replace(" ", ""):
            return Hardware(name, 1, *figures, None)
    size = torch.cuda.get_device_properties(0).total_memory if device.type == "cuda" else 8e9
    return Hardware(name, 1, matrix_rate(device), float(size), copy_rate(device), None, device.type != "cuda")


def timed(engine: Any, prompts: list[Prompt], sampling: Sampling) -> tuple[float, float]:
    """Tokens written, and seconds."""
    started = time.perf_counter()
    outputs = engine.run(prompts, sampling)
    return float(sum(output.num_tokens for output in outputs)), time.perf_counter() - started


@click.command()
@click.option("--quick", is_flag=True, help="Two layers, few prompts.")
@click.option("--num-prompts", default=1024, show_default=True, help="Prompts of a run.")
def main(quick: bool, num_prompts: int) -> None:
    """Measure, and print one JSON object on the last line."""
    device = use_device()
    count, read, written = (8, 32, 16) if quick else (num_prompts, 364, 769)
    is_vllm = has_vllm() and device.type == "cuda"
    with tempfile.TemporaryDirectory() as temporary:
        folder = model_folder(Path(temporary), quick)
        shape = Shape.of(json.loads((folder / "config.json").read_text()))
        started = time.perf_counter()
        engine = VllmEngine(folder) if is_vllm else TransformersEngine(folder)
        start_seconds = time.perf_counter() - started
        sampling = Sampling(written, 1.0)
        timed(engine, prompts_of(4, read), Sampling(4, 1.0))
        tokens, first = timed(engine, prompts_of(count, read), sampling)
        again_tokens, again = timed(engine, prompts_of(count, read), sampling)
    planned = Writer(shape, hardware_of_card(device), Assumptions()).written(count, read, written)
    print(json.dumps({
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "is_quick": quick,
        "engine": "vllm" if is_vllm else "transformers", "num_prompts": count, "start_seconds": round(start_seconds, 1),
        "tokens_per_second": round(tokens / first, 1), "with_prompts_cached": round(again_tokens / again, 1),
        "planned_tokens_per_second": round(count * written / planned.seconds, 1), "planned_bound": planned.bound,
        "planned_rows": planned.num_rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
