"""Tables of up to eight million rows through the stages that read or write them whole: peak memory, rows a CPU-second.

    python -m bench.table_scale                                # 100 thousand, 1 million, 8 million rows: hours, 60 GB of disk
    python -m bench.table_scale --rows 100000 --rows 1000000   # or --stage report alone
    python -m bench.table_scale --quick                        # 4,000 and 16,000 rows

Rows are made by bench/table_material.py: problems of some 1,360 characters (`--length 0.25`: a quarter of that), texts of 1,500. Each
stage is a process of its own. `filter` is filter_problems with every rule, programs and near-duplicates among them; `train_synthesizer`
is what it does before training: each problem beside its text, tokens aside; `evaluate` writes predictions that a model has already made
and takes their figures. Memory is the largest sum, over a stage's processes, of their own memory and their share of what they share
(PSS), looked at twice a second. `memory_growth` is the worst stage's, from the last size but one to the last. Prints one
JSON object on the last line.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil

from bench.table_material import make_tables
from bench.teacher_overhead import ROOT
from stages.core.files import remove
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table
from tests.tiny import benchmark_row

MB = 1_000_000
RULES = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()
FILTER = (
    "--min-words 5 --max-words 400 --max-solution-words 1000 --max-repeated 0.5 --max-foreign 0.65 --min-jaccard 0.9 --num-solutions 0 "
    "--min-agreement 0.5 --solver-form synthesizer --solver-temperature 0.7 --solver-max-tokens 140"
).split()
NUM_ITEMS = 2000  # of a benchmark; an evaluation of more rows has more samples of each
EXAMPLES = """
from pathlib import Path
from stages.training.synthesizer_examples import synthesizer_examples
print(sum(len(e.prompt) for e in synthesizer_examples([Path("data/synthetic")], [Path("data/texts/synthesis.parquet")])))
"""
EVALUATE = """
import sys
from stages.evaluation import tasks
def rows_of(job, work):
    for name, mode, first in job.shards:
        yield [
            {"benchmark": name, "index": row["index"], "mode": mode, "sample": sample, "kind": "number",
             "response": f"We add {row['index']} and {sample}. " * 12 + f"The answer is \\\\boxed{{{sample % 5}}}.", "extracted": str(sample % 5),
             "answer": "3", "correct": sample % 5 == 3, "reason": "boxed/string", "flags": [], "jiuzhang_extracted": str(sample % 5),
             "jiuzhang_correct": sample % 5 == 3, "finish_reason": "stop", "executions": ["ok"] * (mode == "tool"), "turns": 1, "tokens": 80,
             "is_flagged": row["index"] % 50 == 0}
            for row in job.questions[name][first : first + job.shard_problems] for sample in range(job.settings.num_samples)
        ]
tasks.make_predictions, tasks.predictions_in = lambda job, work: None, rows_of
from stages.evaluation.evaluate import main
main()
"""


def commands_of(num_rows: int) -> dict[str, list[str]]:
    """Each stage's command, in a folder that `make_tables` made."""
    stage = [sys.executable, "-m"]
    samples = max(2, num_rows // (4 * NUM_ITEMS))
    return {
        "filter": [*stage, "stages.filtering.filter_problems", "data/synthesis/corpus", "data/texts/synthesis.parquet", "model",
                   "tests", "out/synthetic", "out/filter.json", "out/funnel.csv", *FILTER, *RULES],
        "report": [*stage, "stages.reporting.report", "reports", "data", "data/fingerprints/students", "out/metrics.json", "out/details.json",
                   "out/index.html", "out/accuracy.csv", "out/curves.csv", "--max-problems", "20000"],
        "export": [*stage, "stages.reporting.export_dataset", "data/synthetic", "data/texts/synthesis.parquet", "out/exported"],
        "train_synthesizer": [sys.executable, "-c", EXAMPLES],
        "evaluate": [sys.executable, "-c", EVALUATE, "model", "tests", "data/targets", "data/leaks", "out/predictions", "out/evaluate.json",
                     "--max-tokens", "100", "--max-problems", "0", "--num-samples", str(samples), "--temperature", "1", "--top-p", "1"],
    }  # fmt: skip


def make_inputs(folder: Path, num_rows: int, length: float) -> None:
    make_tables(folder, num_rows, length=length)
    names = ["sums", "differences"]
    for name in names:
        rows = [
            benchmark_row(benchmark=name, index=i, problem=f"What do {i} and 4 make in {name}, please?")
            for i in range(NUM_ITEMS)
        ]
        write_table("benchmarks", rows, folder / f"tests/{name}.parquet")
    write_names(names, folder / "tests")
    write_names([], folder / "data/targets")
    (folder / "model").mkdir(exist_ok=True)
    (folder / "prompts").symlink_to(ROOT / "prompts")


def measure(command: list[str], folder: Path) -> dict[str, float]:
    """Peak memory in MB, seconds, and CPU seconds with those of child processes."""
    remove(folder / "out")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RESUME": "0"}
    before, started, peak = os.times(), time.monotonic(), 0
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, _memory(watched))
        time.sleep(0.5)  # each look at some gigabytes' pages takes a tenth of that
    if process.returncode:
        raise click.ClickException(f"{command[:4]} failed: {(folder / 'log').read_text()[-1000:]}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"peak_mb": round(peak / MB), "seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(cpu, 1)}


def _memory(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += int(one.memory_full_info().pss)
    except (psutil.Error, OSError):
        pass  # it has ended meanwhile
    return total


def measure_all(folder: Path, sizes: list[int], stages: list[str], length: float) -> dict[str, object]:
    found: dict[str, dict[int, dict[str, float]]] = {}
    for size in sizes:
        place = folder / str(size)
        make_inputs(place, size, length)
        for name, command in commands_of(size).items():
            if name in stages or not stages:
                found.setdefault(name, {})[size] = measure(command, place)
                print(size, name, found[name][size], flush=True)
        remove(place)
    growth = (
        {name: round(by[sizes[-1]]["peak_mb"] / by[sizes[-2]]["peak_mb"], 2) for name, by in found.items()}
        if sizes[1:]
        else {}
    )
    speeds = {name: round(sizes[-1] / by[sizes[-1]]["cpu_seconds"]) for name, by in found.items()}
    return {
        "memory_growth": max(growth.values(), default=0.0),
        "growth_by_stage": growth,
        "rows_per_cpu_second": speeds,
        "sizes": found,
    }


@click.command()
@click.option("--rows", "sizes", type=int, multiple=True, default=(100_000, 1_000_000, 8_000_000), show_default=True)
@click.option(
    "--stage", "stages", multiple=True, help="filter, report, export, train_synthesizer or evaluate; all without it."
)
@click.option("--length", default=1.0, show_default=True, help="Of texts and problems.")
@click.option("--folder", type=click.Path(path_type=Path), help="For the tables; a temporary one without it.")
@click.option("--quick", is_flag=True, help="4,000 and 16,000 rows.")
def main(sizes: tuple[int, ...], stages: tuple[str, ...], length: float, folder: Path | None, quick: bool) -> None:
    """Make the tables of each size, run each stage, print what it took."""
    chosen = [4_000, 16_000] if quick else sorted(sizes)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        print(json.dumps(measure_all(Path(temporary), chosen, list(stages), length)))


if __name__ == "__main__":
    main()
