"""filter_problems and evaluate, killed again and again: are the bytes those of an unbroken run, is a program run twice?

    python -m bench.stage_kills --project .            # after `dvc repro`: 20 kills of each, shards of some rows
    python -m bench.stage_kills --project . --quick    # 2 kills of each, fewer rows

`kill -9` falls at random moments of the stage's time, and the stage is started again each time, in a folder of its own with a cache
of programs of its own. A program that had ended has a line there; one that is run again has two. Prints one JSON object on the last line.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import yaml

from bench.teacher_overhead import ROOT
from stages.core.files import remove
from stages.core.table_writer import write_table
from stages.core.tables import read_table
from stages.execution.segments import read_records, segments_in

FILTER = (
    "from stages.filtering import faults\nfaults.SHARD_ROWS = {rows}\n"
    "from stages.filtering.filter_problems import main\nmain()"
)
EVALUATE = (
    "from stages.evaluation import tasks\ntasks.EvaluationJob.__init__.__defaults__ = ({rows},)\n"
    "from stages.evaluation.evaluate import main\nmain()"
)


def options_of(section: object) -> list[str]:
    """A section of params.yaml as options of the command."""
    assert isinstance(section, dict)
    words: list[str] = []
    for key, value in section.items():
        name = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{name}")
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{name}", str(one)]
    return words


def filter_command(project: Path, folder: Path, quick: bool) -> list[str]:
    params = yaml.safe_load((project / "params.yaml").read_text())
    for name in ("problems", "rejected"):
        rows = read_table(name, project / f"data/synthesis/corpus/{name}.parquet")
        write_table(name, rows[: 800 if quick else None], folder / f"synthesis/{name}.parquet")
    places = ["synthesis", project / "data/texts/synthesis.parquet", project / "models/synthesizer/boosted",
              project / "data/benchmarks", "out", "out/metrics.json", "out/funnel.csv"]  # fmt: skip
    options = [*options_of(params["filter_problems"]), *options_of(params["decontaminate"])]
    return [sys.executable, "-c", FILTER.format(rows=200), *map(str, places), *options]


def evaluate_command(project: Path, folder: Path, quick: bool) -> list[str]:
    params = yaml.safe_load((project / "params.yaml").read_text())
    student = params["students"][0]
    places = [project / f"models/finetuned/pretrained/{student}", project / "data/benchmarks", project / "data/targets",
              project / "data/leaks", "out/predictions", "out/metrics.json"]  # fmt: skip
    section = params["evaluate"] | ({"max_problems": 40} if quick else {"max_problems": 120})
    return [sys.executable, "-c", EVALUATE.format(rows=20), *map(str, places), *options_of(section)]


def start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def programs_run(folder: Path) -> Counter[int]:
    """How often each program has ended, by its hash."""
    cache = folder / ".work/executions"
    hashes = [read_records(cache / name, 0)[0]["hash"].tolist() for name, _ in segments_in(cache)]
    return Counter(hash_ for one in hashes for hash_ in one)


def kill_again_and_again(command: list[str], folder: Path, num_kills: int) -> dict[str, object]:
    (folder / "prompts").symlink_to(ROOT / "prompts")
    started = time.monotonic()
    assert start(command, folder).wait() == 0
    seconds = time.monotonic() - started
    unbroken, num_programs = contents(folder / "out"), len(programs_run(folder))
    for place in ("out", ".work"):
        remove(folder / place)
    rng, kills, finished = random.Random(1), 0, 0
    while kills < num_kills:
        process = start(command, folder)
        try:
            assert process.wait(rng.uniform(0, seconds)) == 0, "a run that was not killed failed"
            finished += contents(folder / "out") == unbroken
            remove(folder / "out")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert start(command, folder).wait() == 0
    runs = programs_run(folder)
    return {
        "kills": kills, "same_bytes": contents(folder / "out") == unbroken, "programs": num_programs, "programs_in_all": len(runs),
        "programs_run_twice": sum(count > 1 for count in runs.values()), "seconds_unbroken": round(seconds, 1),
    }  # fmt: skip


@click.command()
@click.option("--project", type=click.Path(path_type=Path, exists=True), default=Path(), show_default=True)
@click.option("--quick", is_flag=True, help="Two kills of each, fewer rows.")
def main(project: Path, quick: bool) -> None:
    """Kill, resume, compare."""
    found: dict[str, object] = {}
    for name, command in (("filter_problems", filter_command), ("evaluate", evaluate_command)):
        with tempfile.TemporaryDirectory() as folder:
            words = command(project.resolve(), Path(folder), quick)
            found[name] = kill_again_and_again(words, Path(folder), 2 if quick else 20)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
