"""Memory and throughput of the corpus stages, from 1 GB to 8 GB of JSON lines made of real sentences.

    python -m bench.corpus_memory --folder SCRATCH               # 1 GB and 8 GB; 25 GB of disk
    python -m bench.corpus_memory --folder SCRATCH --quick       # 8 MB and 32 MB

Each stage is a process of its own; its memory is the proportional set size of it and its workers, looked at four times a
second. Throughput is input by CPU second, of both cores together, so that other work on the machine
counts little. JSON is on the last line: for each size and stage seconds, CPU seconds, MB a CPU second and peak MB.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import psutil

from bench.material import DATA, ROOT, benchmark_rows, documents_of_size, sentences
from stages.core.files import write_json
from stages.core.named_tables import write_names
from stages.core.table_writer import write_table

MB = 1_000_000
INGEST = (
    "--min-chars 200 --max-chars 1000 --max-snippets 20 --strategy first --max-foreign 0.65 --min-math 0.0 "
    "--big.kind jsonl --big.path big.jsonl"
)
CURATE = "--shingle-words 5 --num-bands 25 --band-rows 5 --min-jaccard 0.8"
KEEP_OUT = "--long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers"
SAMPLE = "--initial-frac 0.1 --candidate-frac 0.2 --num-initial 100 --num-candidate 200 --num-synthesis 0 --seed 1"


def measure(arguments: list[str], folder: Path) -> dict[str, float]:
    """Run a stage; its seconds, CPU seconds, and the peak of its memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started, peak = time.monotonic(), 0.0
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=folder, env=environment, stderr=subprocess.PIPE)
    root = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, tree_memory(root))
        time.sleep(0.25)
    message = process.stderr.read().decode() if process.stderr else ""
    if process.returncode:
        raise click.ClickException(message[-2000:])
    click.echo(message.splitlines()[-2], err=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(peak / MB)}


def tree_memory(root: psutil.Process) -> float:
    total = 0.0
    try:
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.Error:
        pass
    return total


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Where the files go; it is emptied at the end.")
@click.option(
    "--data", type=click.Path(path_type=Path), default=DATA, help="Real texts and benchmarks, where there are."
)
@click.option("--gb", "sizes", type=float, multiple=True, default=(1.0, 8.0), help="Sizes of the input.")
@click.option("--quick", is_flag=True, help="8 MB and 32 MB: shows that it runs.")
def main(folder: Path | None, data: Path, sizes: tuple[float, ...], quick: bool) -> None:
    """Ingest, curate and sample an input of each size."""
    sizes = (0.008, 0.032) if quick else sizes
    folder = (folder or ROOT / ".work/bench-corpus").resolve()
    pool = sentences(data)
    figures: dict[str, dict] = {}
    for gb in sizes:
        place = folder / f"{gb:g}"
        place.mkdir(parents=True, exist_ok=True)
        with (place / "big.jsonl").open("w", encoding="utf-8") as stream:
            stream.writelines(documents_of_size(pool, int(gb * 1e9), seed=1))
        kept_out = benchmark_rows(data)
        for name, rows in kept_out.items():
            write_table("benchmarks", rows, place / f"benchmarks/{name}.parquet")
        write_names(kept_out, place / "benchmarks")
        write_json({"big.jsonl": f"{gb} GB"}, place / "fingerprints/big.json")
        stages = {
            "ingest": ["stages.corpus.ingest_corpus", "fingerprints", "corpus", *INGEST.split()],
            "curate": ["stages.corpus.curate_texts", "corpus", "benchmarks", "curated", *CURATE.split(), *KEEP_OUT.split()],
            "sample": ["stages.corpus.sample_texts", "curated", "texts", *SAMPLE.split()],
        }  # fmt: skip
        figures[f"{gb:g} GB"] = {}
        for stage, arguments in stages.items():
            result = measure(arguments, place)
            result["mb_per_cpu_second"] = round(gb * 1000 / result["cpu_seconds"], 2)
            figures[f"{gb:g} GB"][stage] = result
            click.echo(f"{gb:g} GB {stage}: {result}", err=True)
        shutil.rmtree(place)
    first, last = (figures[f"{gb:g} GB"] for gb in (sizes[0], sizes[-1]))
    summary = {
        "peak_ratio": round(max(s["peak_mb"] for s in last.values()) / max(s["peak_mb"] for s in first.values()), 3),
        "throughput_ratio": {
            stage: round(last[stage]["mb_per_cpu_second"] / first[stage]["mb_per_cpu_second"], 3) for stage in first
        },
    }
    print(json.dumps({**figures, **summary}))


if __name__ == "__main__":
    main()
