"""Tokenizing into a token store: examples a CPU-second and a second, the share of the cores that is busy, and the same by one process.

    python -m bench.tokenization_speed             # 40,000 problems of about 1,000 characters
    python -m bench.tokenization_speed --quick     # 4,000

`workers` is `write_store`: a forked worker for each CPU, each with one thread. `threads` is one process whose tokenizer has threads of
its own, as it was before: what Python does to a batch waits for no other CPU. Both are run in turn, three times; the median counts. One
JSON object on the last line; on a machine with other work the share of busy cores says more about that work.
"""

import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from bench.material import DATA, sentences
from stages.core.command import worker_count
from stages.core.parallel import batched
from stages.models.tokenization import BATCH
from stages.models.tokenizer import train_tokenizer
from stages.problems.student_format import Example, student_example
from stages.training.token_store import packed_batch, write_store

VOCABULARY, MAX_LENGTH, TIMES = 8192, 2048, 3
PROGRAM = "```python\nprint({n} * 7)\n```\n\n```output\n{m}\n```\nThe answer is \\boxed{{{m}}}."


def examples_of(pool: list[str], count: int) -> list[Example]:
    """Real sentences; every third example has a program with what it printed."""
    rng = random.Random(1)
    examples = []
    for n in range(count):
        problem, solution = (" ".join(rng.choices(pool, k=k)) for k in (3, 6))
        mode = "tool" if n % 3 == 0 else "cot"
        examples.append(
            student_example(problem, solution + (PROGRAM.format(n=n, m=7 * n) if mode == "tool" else ""), mode)
        )
    return examples


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def timed(run: Callable[[], object], count: int) -> dict[str, float]:
    started, cpu = time.perf_counter(), cpu_seconds()
    run()
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    return {"per_second": count / seconds, "per_cpu_second": count / cpu, "busy_frac": cpu / seconds / worker_count()}


def by_threads(examples: list[Example], tokenizer: object, folder: Path) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with (folder / "tokens").open("wb") as stream:
        for batch in batched(examples, BATCH):
            stream.write(packed_batch(tokenizer, np.dtype(np.uint16), MAX_LENGTH, batch).tokens.tobytes())  # type: ignore[arg-type]
    del os.environ["TOKENIZERS_PARALLELISM"]


@click.command()
@click.option("--quick", is_flag=True, help="4,000 examples, once.")
def main(quick: bool) -> None:
    """Measure both in turn; print one JSON object on the last line."""
    examples = examples_of(sentences(DATA), 4_000 if quick else 40_000)
    tokenizer = train_tokenizer([example.output for example in examples[:2000]], VOCABULARY, MAX_LENGTH)
    figures: dict[str, list[dict[str, float]]] = {"workers": [], "threads": []}
    for _ in range(1 if quick else TIMES):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures["workers"].append(
                timed(lambda: write_store(examples, tokenizer, MAX_LENGTH, folder / "store", "bench"), len(examples))  # noqa: B023
            )
            figures["threads"].append(timed(lambda: by_threads(examples, tokenizer, folder), len(examples)))  # noqa: B023
            same = (folder / "store/tokens-00000.bin").read_bytes() == (folder / "tokens").read_bytes()
            assert same or len(examples) > 4_000, "one shard holds them all"
    medians = {
        way: {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
        for way, runs in figures.items()
    }
    ratio = round(medians["workers"]["per_second"] / medians["threads"]["per_second"], 3)
    print(json.dumps({**medians, "ratio": ratio, "num_examples": len(examples), "is_quick": quick}))


if __name__ == "__main__":
    main()
