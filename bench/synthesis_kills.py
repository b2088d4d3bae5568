"""A synthesis that is killed again and again: are the bytes those of an unbroken run, and what was written twice?

    python -m bench.synthesis_kills --project .            # after `dvc repro`: 20 kills, shards of about 64 prompts
    python -m bench.synthesis_kills --project . --quick    # 2 kills, fewer texts

The project's boosted synthesizer writes from its synthesis texts. `kill -9` falls after a random number of new shards and a
random wait, sometimes before the first; the stage is started again each time. A shard that is there must not be made again. Prints one JSON object on the last line.
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
from stages.core.table_writer import write_table
from stages.core.tables import read_table

SHARD_PROMPTS = 64
SAMPLES = 12
RUN = (
    f"from stages.synthesis import shards\nshards.SHARD_PROMPTS = {SHARD_PROMPTS}\n"
    "from stages.synthesis.synthesize import main\nmain()"
)
OPTIONS = f"--num-samples {SAMPLES} --tool-frac 0.5 --level-choice fit --temperature 0.7 --top-p 0.95 --max-tokens 140".split()


def start(folder: Path, model: Path, out: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, str(model), "texts.parquet", out, *OPTIONS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)


def shards(folder: Path) -> dict[str, int]:
    """Each shard that is there and when it was written."""
    return {str(path): path.stat().st_mtime_ns for path in (folder / ".work").rglob("shard-*.json")}


def kill_again_and_again(folder: Path, model: Path, num_kills: int) -> dict[str, object]:
    rng, kills, rewritten, started = random.Random(1), 0, 0, time.monotonic()
    assert start(folder, model, "unbroken").wait() == 0
    seconds = time.monotonic() - started
    while True:
        before = shards(folder)
        process = start(folder, model, "killed")
        until, wait = len(before) + rng.randrange(0, 2), rng.uniform(0, 1.0)
        is_early = rng.random() < 0.2  # before anything was written
        while process.poll() is None and (kills == num_kills or (not is_early and len(shards(folder)) <= until)):
            time.sleep(0.01)
        if process.poll() is None:
            time.sleep(wait)
        if process.poll() is not None:
            assert process.returncode == 0, "a run that was not killed failed"
            break
        process.kill()
        process.wait()
        kills += 1
        after = shards(folder)
        rewritten += sum(after.get(path) != written for path, written in before.items())
    names = ("problems.parquet", "rejected.parquet")
    same = all((folder / "killed" / name).read_bytes() == (folder / "unbroken" / name).read_bytes() for name in names)
    return {"kills": kills, "shards_made_twice": rewritten, "same_bytes": same, "seconds_unbroken": round(seconds, 1)}


@click.command()
@click.option("--project", type=click.Path(path_type=Path, exists=True), default=Path(), show_default=True)
@click.option("--quick", is_flag=True, help="Two kills, 16 texts.")
def main(project: Path, quick: bool) -> None:
    """Kill, resume, compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        texts = read_table("texts", project / "data/texts/synthesis.parquet")
        write_table("texts", texts[: 16 if quick else None], folder / "texts.parquet")
        (folder / "prompts").symlink_to(ROOT / "prompts")
        model = (project / "models/synthesizer/boosted").resolve()
        print(json.dumps(kill_again_and_again(folder, model, 2 if quick else 20)))


if __name__ == "__main__":
    main()
