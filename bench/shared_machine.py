"""How fast a training and a writing go on a machine that others use too, before and after what stages/__init__.py sets.

    python -m bench.shared_machine            # training and writing, alone and beside one and two busy processes
    python -m bench.shared_machine --quick    # training alone and beside one, shorter windows
    python -m bench.shared_machine --spin-count 10000    # another number in place of stages/__init__.py's

Two processes hold the laptop's model and work in turns on the same two CPUs: `after` is what stages/__init__.py sets, `before`
is libgomp's own default (its manual: 300,000 turns of spinning; to set it is to set nothing). A busy process is a loop without
end in one thread. Rates are tokens a second, medians of the rounds, without each window's first steps.

`share_kept`: training beside one busy process by training alone, after; two CPUs for three threads are fair at two thirds.
`alone_kept`: training alone, after by before. The last line is a JSON object.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch
from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback

from bench.generation_speed import prompts_of
from bench.training_speed import random_examples
from stages.generation.engine import generate
from stages.generation.interface import Sampling
from stages.models.folders import load_model, save_model, use_device
from stages.models.tokenizer import train_tokenizer
from stages.training.batches import Rows, layout_of
from stages.training.job import TrainingJob
from stages.training.sections import TrainingPlan
from stages.training.token_store import TokenStore, write_store
from stages.training.trainer import train_model
from stages.training.worker import end_with_parent

ROOT = Path(__file__).resolve().parent.parent
SETTINGS: dict[str, dict[str, str]] = {"before": {"GOMP_SPINCOUNT": "300000"}, "after": {}}
PLAN = TrainingPlan(9, 5e-3, "muon", 0.03, 0.15, 0.01, 6, 320, seed=1)  # the laptop profile's pretrain
SKIPPED = 3  # steps of a window, which warm the caches
NUM_PROMPTS, NUM_TOKENS = 128, 48


def write_inputs(folder: Path) -> None:
    """The laptop's model, and examples of about the lengths of its own."""
    examples = random_examples(3000, 60)
    tokenizer = train_tokenizer([e.prompt + e.output for e in examples[:500]], 1024, 512)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1024, hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, tie_word_embeddings=True, initializer_range=0.08,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    save_model(LlamaForCausalLM(config), tokenizer, folder / "base", {})
    write_store(examples, tokenizer, PLAN.max_length, folder / "tokens", "bench")


class Window(TrainerCallback):
    """Stops a training after so many seconds, and counts its steps."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.times: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.times.append(time.perf_counter())
        has_counted = len(self.times) > SKIPPED + 1
        control.should_training_stop = has_counted and self.times[-1] - self.times[SKIPPED] > self.seconds

    @property
    def steps_per_second(self) -> float:
        return (len(self.times) - 1 - SKIPPED) / (self.times[-1] - self.times[SKIPPED])


def training_rate(folder: Path, seconds: float) -> float:
    store, window = TokenStore(folder / "tokens"), Window(seconds)
    rows = Rows(store, PLAN, layout_of(PLAN, 1))
    work = Path(tempfile.mkdtemp(dir=folder))
    train_model(
        load_model(folder / "base"),
        store,
        TrainingJob("bench", folder / "base", work / "out", work, work, PLAN),
        [window],
    )
    return window.steps_per_second * rows.num_tokens / rows.num_steps


def writing_rate(folder: Path, _seconds: float) -> float:
    started = time.perf_counter()
    written = generate(folder / "base", prompts_of(NUM_PROMPTS), Sampling(NUM_TOKENS, 1.0, 0.95), "bench")
    return sum(output.num_tokens for output in written) / (time.perf_counter() - started)


RATES = {"writing": writing_rate, "training": training_rate}  # it forks its workers: before OpenMP has threads


def serve(folder: Path) -> None:
    """Measure what standard input asks for, a line each: `training 2.0`."""
    logging.disable(logging.WARNING)
    use_device()
    for line in sys.stdin:
        task, seconds = line.split()
        print(f"rate {RATES[task](folder, float(seconds))}", flush=True)


class Child:
    """A process that measures with one setting; it waits without a load while another does."""

    def __init__(self, folder: Path, setting: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.shared_machine", "--serve", str(folder)], cwd=ROOT, text=True, bufsize=1,
            env={**kept, "CUDA_VISIBLE_DEVICES": "", **setting}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def rate(self, task: str, seconds: float) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{task} {seconds}\n")
        for line in self.process.stdout:
            if line.startswith("rate "):
                return float(line.split()[1])
        raise click.ClickException(
            f"the measuring process ended with status {self.process.wait()}; run it by hand with --serve"
        )

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that are always busy."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command, preexec_fn=end_with_parent) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measured(folder: Path, tasks: list[str], loads: list[int], rounds: int, seconds: float) -> dict[str, Any]:
    """Rates by task, setting and number of busy processes."""
    children = {name: Child(folder, setting) for name, setting in SETTINGS.items()}
    found: dict[tuple[str, str, int], list[float]] = {}
    try:
        for task in tasks:
            for child in children.values():
                child.rate(task, 0.1)
            for load in loads * rounds:
                with busy(load):
                    for name, child in children.items():
                        found.setdefault((task, name, load), []).append(child.rate(task, seconds))
                        print(
                            f"{task} {name} beside {load}: {found[task, name, load][-1]:,.0f} tokens/s", file=sys.stderr
                        )
    finally:
        for child in children.values():
            child.end()
    return {
        task: {
            name: {str(load): round(statistics.median(found[task, name, load])) for load in loads} for name in SETTINGS
        }
        for task in tasks
    }


def shares(rates: dict[str, dict[str, int]]) -> dict[str, float]:
    before, after = rates["before"], rates["after"]
    return {
        "share_kept": round(after["1"] / after["0"], 3), "share_kept_before": round(before["1"] / before["0"], 3),
        "alone_kept": round(after["0"] / before["0"], 3),
    }  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="Training only, beside one busy process, two short rounds.")
@click.option("--spin-count", type=int, help="Try this number of turns in place of what stages/__init__.py sets.")
@click.option("--serve", "served", type=click.Path(path_type=Path), hidden=True)
def main(quick: bool, spin_count: int | None, served: Path | None) -> None:
    """Measure, and print one JSON object on the last line."""
    if served:
        serve(served)
        return
    use_device()
    if spin_count is not None:
        SETTINGS["after"]["GOMP_SPINCOUNT"] = str(spin_count)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as temporary:
        write_inputs(Path(temporary))
        tasks, loads = (["training"], [0, 1]) if quick else (list(RATES), [0, 1, 2])
        rates = measured(Path(temporary), tasks, loads, *((2, 1.5) if quick else (5, 5.0)))
    print(json.dumps({
        **shares(rates["training"]), "writing": shares(rates["writing"]) if "writing" in rates else {},
        "tokens_per_second": rates, "spin_count": SETTINGS["after"].get("GOMP_SPINCOUNT", os.environ.get("GOMP_SPINCOUNT")), "is_quick": quick,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
