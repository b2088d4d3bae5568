"""A training that is killed again and again: are the weights those of an unbroken run, bit for bit?

    python -m bench.training_kills            # 20 kills at random moments
    python -m bench.training_kills --quick    # 2 kills, half as many steps

`pretrain` learns 2,000 random problems with a tiny model and saves a checkpoint at each logged step. `kill -9` falls at a random
moment of the run: while it starts, tokenizes, trains, or saves. It is started again each time, and must begin no earlier than the
last whole checkpoint. Prints one JSON object on the last line.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bench.teacher_overhead import ROOT
from stages.core.table_writer import write_table
from stages.models.folders import save_model
from tests.tiny import problem_row, tiny_model, tiny_tokenizer

OPTIONS = (
    "--no-keep-optimizer --num-epochs {epochs} --learning-rate 1e-3 --optimizer muon --warmup-ratio 0.03 --decay-ratio 0.2 "
    "--weight-decay 0 --batch-rows 2 --max-length 128 --seed 1"
)


def start(folder: Path, out: str, epochs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stages.training.pretrain", "base", "problems", f"models/{out}", f"curves/{out}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NINECHAPTERS_CHECKPOINT_SECONDS": "0"}
    with (folder / f"{out}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, *OPTIONS.format(epochs=epochs).split()], cwd=folder, env=environment, stdout=log, stderr=log
        )


def whole_steps(folder: Path) -> list[int]:
    """The steps of the whole checkpoints that are there."""
    return sorted(int(path.parent.name.rpartition("-")[2]) for path in folder.glob(".work/*/checkpoint-*/whole"))


def write_inputs(folder: Path) -> None:
    rng = random.Random(1)
    rows = []
    for i in range(2000):
        a, b = rng.randrange(100), rng.randrange(100)
        solution = f"{a}+{b}={a + b}\nThe answer is \\boxed{{{a + b}}}."
        rows.append(problem_row(problem_id=str(i), problem=f"What is {a} plus {b}?", solution=solution))
    write_table("problems", rows, folder / "problems/problems.parquet")
    save_model(tiny_model("llama"), tiny_tokenizer(), folder / "base", {})


def kill_again_and_again(folder: Path, num_kills: int, epochs: int) -> dict[str, object]:
    rng, kills, lost = random.Random(1), 0, 0
    started = time.monotonic()
    assert start(folder, "unbroken", epochs).wait() == 0, (folder / "unbroken.log").read_text()
    seconds = unbroken = time.monotonic() - started
    moments: dict[str, int] = {}
    while True:
        before = whole_steps(folder)
        begun = time.monotonic()
        process = start(folder, "killed", epochs)
        until = time.monotonic() + rng.uniform(0.3, 0.9) * seconds if kills < num_kills else float("inf")
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        if process.poll() is not None:
            assert process.returncode == 0, (folder / "killed.log").read_text()
            if kills >= num_kills:
                break
            seconds = min(seconds, time.monotonic() - begun)  # it ended before its kill: the machine is faster now
            continue
        process.kill()
        process.wait()
        kills += 1
        after = whole_steps(folder)
        lost += bool(before and (not after or after[-1] < before[-1]))
        place = "training" if after != before else "elsewhere"
        moments[place] = moments.get(place, 0) + 1
    same = {
        name: (folder / "models/killed" / name).read_bytes() == (folder / "models/unbroken" / name).read_bytes()
        for name in ("model.safetensors", "config.json")
    }
    curve = "plots/metrics/loss.tsv"
    same["curve"] = (folder / "curves/killed" / curve).read_text() == (folder / "curves/unbroken" / curve).read_text()
    resumed = len(re.findall(r"mix: .* cot", (folder / "killed.log").read_text()))
    return {
        "kills": kills, "same_bytes": all(same.values()), "checkpoints_lost": lost, "kills_by_place": moments,
        "tokenized": resumed, "seconds_unbroken": round(unbroken, 1),
    }  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="Two kills, half the steps.")
def main(quick: bool) -> None:
    """Kill, resume, compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_inputs(folder)
        print(json.dumps(kill_again_and_again(folder, 2 if quick else 20, 1 if quick else 4)))


if __name__ == "__main__":
    main()
