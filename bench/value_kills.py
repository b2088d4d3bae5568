"""A value estimation that is killed again and again: are the bytes those of an unbroken run, and what was done twice?

    python -m bench.value_kills            # 20 kills, 1,200 candidates in shards of 3, two checkpoints
    python -m bench.value_kills --quick    # 2 kills

`kill -9` falls after a random number of new shards and a random wait; the stage is started again each time. A shard that is
there must not be made again, so a kill costs at most the shard in the making. Prints one JSON object on the last line.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bench.teacher_overhead import ROOT
from stages.models.folders import save_model
from tests.tiny import tiny_model, tiny_tokenizer
from tests.valuing import OPTIONS, write_candidates, write_reference, write_targets

SHARDS_OPTIONS = [*OPTIONS, "--projection-dim", "0", "--shard-rows", "3"]


def start(folder: Path, stage: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        f"stages.value.{stage}",
        "base",
        "reference",
        "candidates",
        *arguments,
        *SHARDS_OPTIONS,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)


def estimate(folder: Path, out: str) -> subprocess.Popen[bytes]:
    places = ["targets", "datastore", out, f"{out}.csv", f"{out}.json", "--aggregate", "max"]
    return start(folder, "estimate_value", *places, "--target", "easy", "--target", "hard")


def shards(folder: Path) -> dict[str, int]:
    """Each shard that is there and when it was written."""
    return {str(path): path.stat().st_mtime_ns for path in (folder / ".work").rglob("part-*.safetensors")}


def kill_again_and_again(folder: Path, num_kills: int, num_shards: int) -> dict[str, int | bool]:
    """Run to the end with kills, and once more without; compares the bytes, counts shards that were written twice."""
    assert start(folder, "build_datastore", "datastore").wait() == 0
    rng, kills, rewritten = random.Random(1), 0, 0
    while True:
        before = shards(folder)
        process = estimate(folder, "killed")
        until = len(before) + rng.randrange(0, max(2, round(1.6 * num_shards / (num_kills + 1))))
        while process.poll() is None and (kills == num_kills or len(shards(folder)) <= until):
            time.sleep(0.001)
        if process.poll() is not None:
            assert process.returncode == 0, "a run that was not killed failed"
            break
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.wait()
        kills += 1
        after = shards(folder)
        rewritten += sum(after.get(path) != written for path, written in before.items())
    assert estimate(folder, "unbroken").wait() == 0
    files = [(folder / out / "part-00000.parquet").read_bytes() for out in ("killed", "unbroken")]
    return {"kills": kills, "shards_made_twice": rewritten, "same_bytes": files[0] == files[1]}


@click.command()
@click.option("--quick", is_flag=True, help="Two kills.")
def main(quick: bool) -> None:
    """Kill, resume, compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_model(tiny_model("llama"), tiny_tokenizer(), folder / "base", {"kind": "bench"})
        write_reference(folder / "base", folder / "reference")
        write_candidates(folder, 1200)
        write_targets(folder / "targets")
        print(json.dumps(kill_again_and_again(folder, 2 if quick else 20, 2 * 400)))


if __name__ == "__main__":
    main()
