"""Memory of synthesis, packing, training input, distillation and selection, from ten thousand to a million synthetic rows.

    python -m bench.engine_memory                    # 10,000, 100,000 and 1,000,000 rows
    python -m bench.engine_memory --quick            # 2,000 rows
    python -m bench.engine_memory --code OTHER       # the stages of another checkout

Each is a process of its own; its peak is that of its resident memory. `synthesize` is the stage with an engine that answers at
once, so that everything but the model is measured: reading, spilling, shards, parsing, the tables. `training_input` is what a
training does before and between its steps: reading the table, the token store, packing, and every batch of an epoch. Memory-mapped
pages count as resident while they are read, though the system may drop them; anonymous memory is given beside. `train_synthesizer` looks
the texts of a tenth of the rows up, in another order; `select_texts` takes 1,000 texts by value, `diversity` by value and clusters and `bm25` by words.
Workers count. One JSON object on the last line.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import psutil

from bench.teacher_overhead import ROOT
from stages.core.named_tables import write_names
from stages.core.schemas import Row
from stages.core.table_writer import TableWriter, table_batch, write_table
from stages.models.folders import save_model
from tests.tiny import benchmark_row, problem_row, tiny_model, tiny_tokenizer

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
rows, collate = Rows(store, plan, layout_of(plan, 1)), Collator(store)
for start in range(0, len(rows), 8):
    collate([rows[i] for i in range(start, start + 8)])
print(rows.padding_frac)
"""
LOOK_UP = """
from pathlib import Path
from stages.training.synthesizer_examples import synthesizer_examples
print(sum(1 for _ in synthesizer_examples([Path("asked")], [Path("long.parquet")])))
"""
PARSE = "from stages.distillation.parse_completions import main; main()"
TARGETS = "from stages.benchmarks.prepare_targets import main; main()"
SELECT = "from stages.value.select_texts import main; main()"
KEEP_OUT = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers".split()
COMPLETION = "[Problem]\nTom has {i} apples and buys {j} more. How many has he?\n[Solution]\n{words}\nThe answer is \\boxed{{7}}.\n[End]"
OPTIONS = "--num-samples 1 --tool-frac 0 --level-choice random --temperature 1 --top-p 1 --max-tokens 200".split()


def write_texts(folder: Path, count: int) -> None:
    write_rows("texts", folder / "texts.parquet", count, lambda i: {
        "text_id": f"{i:016x}", "source": "web", "title": "", "url": "", "license": "", "text": f"Tom has {i} apples. " * 10,
    })  # fmt: skip


def write_rows(schema: str, path: Path, count: int, row_of: Callable[[int], Row]) -> None:
    with TableWriter(schema, path) as file:
        for start in range(0, count, 10_000):
            rows = [row_of(i) for i in range(start, min(start + 10_000, count))]
            file.write(table_batch(schema, rows, schema))


def write_inputs(folder: Path, count: int) -> None:
    """What the stages after synthesis read: texts of 1,500 characters, a request, completion, problem and value for each."""
    words = "Adding both gives the answer. " * 20
    write_rows("texts", folder / "long.parquet", count, lambda i: {
        "text_id": f"{i:016x}", "source": f"s{i % 7}", "title": "", "url": "", "license": "",
        "text": " ".join(f"w{(i * 31 + k * k) % 4999}" for k in range(250)),
    })  # fmt: skip
    write_rows("requests", folder / "requests.parquet", count, lambda i: {
        "request_id": f"{i:064x}", "round": "initial", "text_id": f"{i:016x}", "prompt": "grade", "mode": "cot", "messages": "x" * 3000,
        "sampling": "{}",
    })  # fmt: skip
    write_rows("completions", folder / "completions.parquet", count, lambda i: {
        "request_id": f"{i:064x}", "completion": COMPLETION.format(i=i, j=i % 97, words=words), "finish_reason": "stop", "served_model": "m",
        "prompt_tokens": 1, "completion_tokens": 1, "cached_tokens": 0, "usd": 0.0,
    })  # fmt: skip
    write_rows("problems", folder / "candidates/problems.parquet", count, lambda i: problem_row(
        problem_id=f"p{i}", text_id=f"{i:016x}", problem=f"Tom has {i} apples and buys {i % 97} more.", solution=words,
    ))  # fmt: skip
    write_rows("problems", folder / "asked/problems.parquet", count // 10, lambda i: problem_row(
        problem_id=f"p{i}", text_id=f"{i * 7919 % count:016x}", solution=words,
    ))  # fmt: skip
    write_rows("values", folder / "values", count, lambda i: {
        "problem_id": f"p{i}", "text_id": f"{i:016x}", "num_tokens": i % 500, "loss": 1.0, "gradient_norm": 1.0,
        "value": i * 7919 % 10007 / 10007, "target_values": [{"target": "b", "value": i * 7919 % 10007 / 10007}],
    })  # fmt: skip
    for name in ("benchmarks", "targets"):
        write_table(
            "benchmarks",
            [benchmark_row(benchmark="b", index=i, problem=f"Ann had {i} hats and {i} apples.") for i in range(50)],
            folder / name / "b.parquet",
        )
        write_names(["b"], folder / name)
    with (folder / "t.jsonl").open("w") as stream:
        stream.writelines(
            f'{{"question": "What are {i} and {i} hats?", "answer": "{words}#### 3"}}\n' for i in range(count)
        )


def runs(count: int) -> dict[str, tuple[str, list[str]]]:
    """The script and the arguments of each stage after synthesis."""
    select = "long.parquet values candidates targets base base".split()
    wanted = ["--num-texts", str(min(1000, count // 10)), "--length-bins", "10", "--seed", "1"]
    target = ["--t.kind", "gsm8k", "--t.path", "t.jsonl", "--t.num_problems", "0", "--t.max_problems", "0"]
    return {
        "train_synthesizer": (LOOK_UP, []),
        "parse_completions": (PARSE, ["requests.parquet", "completions.parquet", "benchmarks", "parsed", *KEEP_OUT]),
        "prepare_targets": (TARGETS, ["fingerprints", "benchmarks", "clean", "leaks", *KEEP_OUT, *target]),
        "select_texts": (SELECT, [*select, "s.parquet", "s.json", "--strategy", "value", *wanted]),
        "bm25": (SELECT, [*select, "s.parquet", "s.json", "--strategy", "bm25", *wanted]),
        "diversity": (SELECT, [*select, "s.parquet", "s.json", "--strategy", "value_diversity", *wanted]),
    }


def measure(script: str, arguments: list[str], folder: Path, code: Path = ROOT) -> dict[str, float]:
    """The peak of resident and of anonymous memory of a process and its workers, and the seconds, of the clock and of CPUs."""
    started, peak, anonymous = time.monotonic(), 0, 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=folder, env={"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            memories = [one.memory_full_info() for one in (watched, *watched.children(recursive=True))]
        except psutil.Error:
            continue
        peak = max(peak, sum(memory.pss for memory in memories))
        anonymous = max(anonymous, sum(memory.uss for memory in memories))
        time.sleep(0.2)
    _, message = process.communicate()
    if process.returncode:
        raise click.ClickException(message.decode()[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "peak_mb": round(peak / MB),
        "anonymous_mb": round(anonymous / MB),
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
    }


@click.command()
@click.option("--quick", is_flag=True, help="2,000 rows: shows that it runs.")
@click.option("--rows", "sizes", type=int, multiple=True, default=(10_000, 100_000, 1_000_000), help="Numbers of rows.")
@click.option(
    "--code", type=click.Path(path_type=Path, exists=True), default=ROOT, help="The checkout whose stages run."
)
@click.option("--only", multiple=True, help="Names of what is measured; none: all.")
def main(quick: bool, sizes: tuple[int, ...], code: Path, only: tuple[str, ...]) -> None:
    """Measure each at each size, and print one JSON object on the last line."""
    figures: dict[str, dict[int, dict[str, float]]] = {}
    for count in (2_000,) if quick else sizes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            save_model(tiny_model("llama"), tiny_tokenizer(), folder / "base", {})
            (folder / "prompts").symlink_to(ROOT / "prompts")
            write_texts(folder, count)
            write_inputs(folder, count)
            first = {
                "synthesize": (SYNTHESIZE, ["base", "texts.parquet", "out", *OPTIONS]),
                "training_input": (TRAINING_INPUT, []),
            }
            for name, (script, arguments) in {**first, **runs(count)}.items():
                if not only or name in only:
                    figures.setdefault(name, {})[count] = measure(script, arguments, folder, code.resolve())
                    print(count, name, figures[name][count], file=sys.stderr, flush=True)
    growth = {
        name: round(found[max(found)]["anonymous_mb"] / found[min(found)]["anonymous_mb"], 3)
        for name, found in figures.items()
    }
    print(json.dumps({"growth": growth, "rows": figures, "is_quick": quick}))


if __name__ == "__main__":
    main()
