"""A training that is killed again and again: are the weights those of an unbroken run, bit for bit?

    python -m bench.training_kills                          # 20 kills at random moments
    python -m bench.training_kills --quick                  # 2 kills, fewer steps
    python -m bench.training_kills --processes 2            # with DistributedDataParallel
    python -m bench.training_kills --processes 2 --sharded  # with FSDP

`pretrain` learns 2,000 random problems (400 in several processes) with a tiny model and saves a checkpoint after each step. A signal falls at a random
moment of the run: while it starts, tokenizes, trains, or saves; `kill -9`, every third time SIGTERM and every sixth SIGUSR1, which must
end it with its status and the line that says what is kept. Its processes must be gone then. It is started again each time, and must begin
no earlier than the last whole checkpoint, unless the model was saved already: then it begins anew. Prints one JSON object on the last line.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1

import click
import psutil
from safetensors.torch import load_file

from bench.teacher_overhead import ROOT
from stages.core.files import remove
from stages.core.table_writer import write_table
from stages.models.folders import save_model
from tests.tiny import problem_row, tiny_model, tiny_tokenizer

OPTIONS = (
    "--no-keep-optimizer --num-epochs {epochs} --learning-rate 1e-3 --optimizer {optimizer} --warmup-ratio 0.03 --decay-ratio 0.2 "
    "--weight-decay 0 --batch-rows 2 --max-length 128 --seed 1 --frac 1 --max-problems 0"
)


@dataclass(frozen=True)
class Run:
    """What is started again and again."""

    folder: Path
    epochs: int
    processes: int
    is_sharded: bool

    def start(self, out: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "stages.training.pretrain",
            "base",
            "problems",
            f"models/{out}",
            f"curves/{out}",
        ]
        told = {
            "PYTHONPATH": str(ROOT),
            "NINECHAPTERS_CHECKPOINT_SECONDS": "0",
            "NINECHAPTERS_PROCESSES": str(self.processes),
        }
        environment = {**os.environ, **told, "NINECHAPTERS_FSDP": str(int(self.is_sharded))}
        options = OPTIONS.format(epochs=self.epochs, optimizer="adamw" if self.is_sharded else "muon").split()
        with (self.folder / f"{out}.log").open("ab") as log:
            return subprocess.Popen([*command, *options], cwd=self.folder, env=environment, stdout=log, stderr=log)


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send the signal; the stage ends as it should, and all its processes with it."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    status = process.wait(timeout=60)
    assert status in (-number, 128 + number), f"status {status} after {number.name}"
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, alive


def whole_steps(folder: Path) -> list[int]:
    """The steps of the whole checkpoints that are there."""
    return sorted(int(path.parent.name.rpartition("-")[2]) for path in folder.glob(".work/*/checkpoint-*/whole"))


def write_inputs(folder: Path, num_problems: int) -> None:
    rng = random.Random(1)
    rows = []
    for i in range(num_problems):
        a, b = rng.randrange(100), rng.randrange(100)
        solution = f"{a}+{b}={a + b}\nThe answer is \\boxed{{{a + b}}}."
        rows.append(problem_row(problem_id=str(i), problem=f"What is {a} plus {b}?", solution=solution))
    write_table("problems", rows, folder / "problems/problems.parquet")
    save_model(tiny_model("llama"), tiny_tokenizer(), folder / "base", {})


def kill_again_and_again(run: Run, num_kills: int) -> dict[str, object]:
    rng, folder, kills, lost = random.Random(1), run.folder, 0, 0
    started = time.monotonic()
    assert run.start("unbroken").wait() == 0, (folder / "unbroken.log").read_text()
    seconds = unbroken = time.monotonic() - started
    moments: dict[str, int] = {}
    by_signal: Counter[str] = Counter()
    while True:
        remove(folder / "models/killed")  # as DVC deletes what a stage is to make
        before = whole_steps(folder)
        begun = time.monotonic()
        process = run.start("killed")
        until = time.monotonic() + rng.uniform(0.3, 0.9) * seconds if kills < num_kills else float("inf")
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        if process.poll() is not None:
            assert process.returncode == 0, (folder / "killed.log").read_text()
            if kills >= num_kills:
                break
            seconds = min(seconds, time.monotonic() - begun)  # it ended before its kill: the machine is faster now
            continue
        kills += 1
        number = SIGTERM if kills % 3 == 0 else SIGUSR1 if kills % 6 == 1 else SIGKILL
        end(process, number)
        by_signal[number.name] += 1
        after = whole_steps(folder)
        is_made = (folder / "models/killed").exists()  # its checkpoints are of no use any more
        lost += bool(before and not is_made and (not after or after[-1] < before[-1]))
        place = "after the model was saved" if is_made else "training" if after != before else "elsewhere"
        moments[place] = moments.get(place, 0) + 1
    same = {
        name: (folder / "models/killed" / name).read_bytes() == (folder / "models/unbroken" / name).read_bytes()
        for name in ("model.safetensors", "config.json")
    }
    curve = "plots/metrics/loss.tsv"
    same["curve"] = (folder / "curves/killed" / curve).read_text() == (folder / "curves/unbroken" / curve).read_text()
    resumed = len(re.findall(r"mix: .* cot", (folder / "killed.log").read_text()))
    return {
        "kills": kills, "same_bytes": all(same.values()), "checkpoints_lost": lost, "kills_by_place": moments, "kills_by_signal": by_signal,
        "max_relative_difference": difference(folder / "models/killed", folder / "models/unbroken"),
        "tokenized": resumed, "seconds_unbroken": round(unbroken, 1),
    }  # fmt: skip


def difference(folder: Path, other: Path) -> float:
    """The largest of a matrix's differences, by its largest number."""
    ours, theirs = (load_file(one / "model.safetensors") for one in (folder, other))
    return max(float((ours[name] - theirs[name]).abs().max() / theirs[name].abs().max()) for name in theirs)


@click.command()
@click.option("--quick", is_flag=True, help="Two kills, a quarter of the steps.")
@click.option("--kills", type=click.IntRange(min=1), default=20, help="How many, without --quick.")
@click.option("--processes", type=click.IntRange(min=1), default=1, help="Of the training.")
@click.option("--sharded", is_flag=True, help="With FSDP over them, and AdamW.")
def main(quick: bool, kills: int, processes: int, sharded: bool) -> None:
    """Kill, resume, compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_inputs(folder, 2000 if processes == 1 else 400)
        run = Run(folder, 1 if quick or processes > 1 else 4, processes, sharded)
        print(json.dumps(kill_again_and_again(run, 2 if quick else kills)))


if __name__ == "__main__":
    main()
