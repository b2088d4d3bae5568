"""Memory of synthesis, packing and training input, from ten thousand to a million synthetic rows.

    python -m bench.engine_memory            # 10,000, 100,000 and 1,000,000 rows
    python -m bench.engine_memory --quick    # 2,000 and 8,000 rows

Each is a process of its own; its peak is that of its resident memory. `synthesize` is the stage with an engine that answers at
once, so that everything but the model is measured: reading, spilling, shards, parsing, the tables. `training_input` is what a
training does before and between its steps: reading the table, the token store, packing, and every batch of an epoch. Memory-mapped
pages count as resident while they are read, though the system may drop them; anonymous memory is given beside. One JSON object on
the last line.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil

from bench.teacher_overhead import ROOT
from stages.core.table_writer import TableWriter, table_batch
from stages.models.folders import save_model
from tests.tiny import tiny_model, tiny_tokenizer

MB = 1_000_000
SYNTHESIZE = """
from stages.synthesis import written_problems
from stages.generation.turns import Transcript
SOLUTION = "Adding both gives the answer. " * 20
def at_once(model, prompts, sampling, turns, title, meter):
    meter.add(len(prompts), 200 * len(prompts))
    yield
    return [Transcript(f"[Problem]\\nWhat is {p.seed % 1000}+1, {p.seed}?\\n[Solution]\\n{SOLUTION}\\nThe answer is \\\\boxed{{7}}.\\n[End]", "", "stop", "", 200) for p in prompts]
written_problems.turns_of = at_once
from stages.synthesis.synthesize import main
main()
"""
TRAINING_INPUT = """
import sys
from pathlib import Path
from stages.training.batches import Collator, Rows, layout_of
from stages.training.mixing import mixed, problem_pools
from stages.models.folders import load_tokenizer
from stages.training.sections import TrainingPlan
from stages.training.token_store import write_store
pools = problem_pools([Path("out/problems.parquet")])
plan = TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, 512, 2048, 1)
store = write_store(mixed(pools, {}), load_tokenizer(Path("base")), 2048, Path("tokens"), "bench")
rows, collate = Rows(store, plan, layout_of(plan, 1, 32000)), Collator(store)
for start in range(0, len(rows), 8):
    collate([rows[i] for i in range(start, start + 8)])
print(rows.padding_frac)
"""
OPTIONS = "--num-samples 1 --tool-frac 0 --level-choice random --temperature 1 --top-p 1 --max-tokens 200".split()


def write_texts(folder: Path, count: int) -> None:
    with TableWriter("texts", folder / "texts.parquet") as file:
        for start in range(0, count, 10_000):
            rows = [
                {
                    "text_id": f"{i:016x}",
                    "source": "web",
                    "title": "",
                    "url": "",
                    "license": "",
                    "text": f"Tom has {i} apples. " * 10,
                }
                for i in range(start, min(start + 10_000, count))
            ]
            file.write(table_batch("texts", rows, "texts"))


def measure(script: str, arguments: list[str], folder: Path) -> dict[str, float]:
    """The peak of resident and of anonymous memory, and the seconds."""
    started, peak, anonymous = time.monotonic(), 0, 0
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            memory = watched.memory_info()
        except psutil.Error:
            break
        peak, anonymous = max(peak, memory.rss), max(anonymous, memory.rss - memory.shared)
        time.sleep(0.1)
    _, message = process.communicate()
    if process.returncode:
        raise click.ClickException(message.decode()[-2000:])
    return {
        "peak_mb": round(peak / MB),
        "anonymous_mb": round(anonymous / MB),
        "seconds": round(time.monotonic() - started, 1),
    }


@click.command()
@click.option("--quick", is_flag=True, help="2,000 and 8,000 rows: shows that it runs.")
@click.option("--rows", "sizes", type=int, multiple=True, default=(10_000, 100_000, 1_000_000), help="Numbers of rows.")
def main(quick: bool, sizes: tuple[int, ...]) -> None:
    """Measure each at each size, and print one JSON object on the last line."""
    figures: dict[str, dict[int, dict[str, float]]] = {"synthesize": {}, "training_input": {}}
    for count in (2_000, 8_000) if quick else sizes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            save_model(tiny_model("llama"), tiny_tokenizer(), folder / "base", {})
            (folder / "prompts").symlink_to(ROOT / "prompts")
            write_texts(folder, count)
            figures["synthesize"][count] = measure(SYNTHESIZE, ["base", "texts.parquet", "out", *OPTIONS], folder)
            figures["training_input"][count] = measure(TRAINING_INPUT, [], folder)
        print({name: found[count] for name, found in figures.items()}, file=sys.stderr)
    growth = {
        name: round(found[max(found)]["anonymous_mb"] / found[min(found)]["anonymous_mb"], 3)
        for name, found in figures.items()
    }
    print(json.dumps({"growth": growth, "rows": figures, "is_quick": quick}))


if __name__ == "__main__":
    main()
