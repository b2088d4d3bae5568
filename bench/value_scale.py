"""Ten million candidates on paper and in a simulation: bytes, hours, and one pass that keeps the best in flat memory.

    python -m bench.value_scale            # simulate 10,000,000 candidates of 2,500,000 texts
    python -m bench.value_scale --quick    # 100,000 of 25,000

The simulation writes `values` and `texts` tables of that size with random values, through the stages' own writer, then
selects 4,000 texts by value with a source quota through the stages' own code, each in a process of its own. The plan is
arithmetic; its rate is an argument (`--rate`: examples a second on one device). Prints one JSON object on the last line.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from bench.value_memory import memory_mb
from stages.core.schemas import SCHEMAS
from stages.core.table_writer import TableWriter
from stages.texts.quotas import Quotas
from stages.value.pool import Pool
from stages.value.selection import best
from stages.value.strategies import by_value

PROBLEMS_OF_A_TEXT, BATCH_TEXTS, NUM_TARGETS, NUM_SELECTED = 4, 20_000, 8, 4000


def plan(num_candidates: int, rate: float, num_parameters: int) -> dict[str, float]:
    """Bytes and hours; 8 targets in float32, scores in float32, features of 8192 numbers."""
    gb, hour = 1e9, 3600
    return {
        "gradients_whole_fp16_gb": num_candidates * num_parameters * 2 / gb,
        "targets_fp32_gb": NUM_TARGETS * num_parameters * 4 / gb,
        "scores_gb": num_candidates * NUM_TARGETS * 4 / gb,
        "datastore_fp16_8192_gb": num_candidates * 8192 * 2 / gb,
        "datastore_int8_8192_gb": num_candidates * (8192 + 4) / gb,
        "device_hours": num_candidates / rate / hour,
        "shards_of_4096": -(-num_candidates // 4096),
    }


def write_tables(folder: Path, num_candidates: int) -> None:
    rng = np.random.default_rng(1)
    num_texts = num_candidates // PROBLEMS_OF_A_TEXT
    sources = ["web", "books", "papers", "qa", "wiki"]
    with TableWriter("values", folder / "values") as values, TableWriter("texts", folder / "texts.parquet") as texts:
        for start in range(0, num_texts, BATCH_TEXTS):
            ids = [f"{i:016x}" for i in range(start, min(start + BATCH_TEXTS, num_texts))]
            columns = {name: [""] * len(ids) for name in SCHEMAS["texts"].names}
            columns |= {
                "text_id": ids,
                "source": [sources[int(i, 16) % 5] for i in ids],
                "text": ["Divide the prime number."] * len(ids),
            }
            texts.write(pa.RecordBatch.from_pydict(columns, SCHEMAS["texts"]))
            count = PROBLEMS_OF_A_TEXT * len(ids)
            numbers = rng.normal(0.05, 0.05, count).round(7)
            values.write(pa.RecordBatch.from_pydict({
                "problem_id": [f"{start * PROBLEMS_OF_A_TEXT + i:016x}" for i in range(count)],
                "text_id": [text_id for text_id in ids for _ in range(PROBLEMS_OF_A_TEXT)],
                "num_tokens": rng.integers(20, 900, count), "loss": np.ones(count), "gradient_norm": np.ones(count), "value": numbers,
                "target_values": [[{"target": "one", "value": float(number)}] for number in numbers],
            }, SCHEMAS["values"]))  # fmt: skip


def select(folder: Path) -> None:
    nowhere = Path()
    quotas = Quotas.parse(source=["web=0.1"])
    pool = Pool(folder / "texts.parquet", folder / "values", nowhere, nowhere, nowhere, nowhere, 1, 0, quotas)
    started, before = time.monotonic(), memory_mb("VmRSS")
    chosen = best(pool, by_value(pool), NUM_SELECTED)
    peak = memory_mb("VmHWM")
    webs = (chosen["cell"] == "source web").sum()
    print(json.dumps({
        "num_selected": len(chosen), "num_web": webs, "lowest": round(chosen["value"][-1], 4), "seconds": round(time.monotonic() - started, 1),
        "peak_mb": round(peak), "grown_mb": round(peak - before),
    }))  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="100,000 candidates.")
@click.option("--rate", default=10.0, show_default=True, help="Examples a second on one device, for the plan.")
@click.option(
    "--parameters", default=134_217_728, show_default=True, help="LoRA parameters (Llama-2-7B, r=128 on q,k,v,o)."
)
@click.option("--select-in", hidden=True, type=click.Path(path_type=Path))
def main(quick: bool, rate: float, parameters: int, select_in: Path | None) -> None:
    """Simulate, and print one JSON object on the last line."""
    if select_in:
        select(select_in)
        return
    sizes = (10_000, 100_000) if quick else (1_000_000, 10_000_000)
    found = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            started = time.monotonic()
            write_tables(Path(temporary), size)
            command = [sys.executable, "-m", "bench.value_scale", "--select-in", temporary]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[size] = json.loads(done.stdout)
            num_bytes = sum(path.stat().st_size for path in Path(temporary, "values").iterdir())
            found[size] |= {"values_mb": round(num_bytes / 1e6), "all_seconds": round(time.monotonic() - started, 1)}
            click.echo(f"{size:,}: {found[size]}", err=True)
    growth = found[sizes[1]]["grown_mb"] / max(1, found[sizes[0]]["grown_mb"])
    print(
        json.dumps(
            {
                "plan_10_million": plan(10_000_000, rate, parameters),
                "simulated": found,
                "memory_growth": round(growth, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
