"""Near-duplicates: documents a CPU-second, precision and recall, beside datatrove's four MinHash stages on the same input.

    python -m bench.deduplication_speed                    # 30,000 documents of about 290 words, 3,000 planted pairs
    python -m bench.deduplication_speed --quick            # 3,000 documents, 300 pairs

datatrove is installed into a throw-away environment (`--rival FOLDER`, by default .work/bench-datatrove). Each program
is a process on one core that reads JSON lines and says which documents go. Its CPU is that of the process with its children,
from the time when it has done ten documents: what comes before is its start. A planted pair counts when its exact
Jaccard index (five words in a row) is at least 0.8; what goes without such a partner is a false positive. JSON is on the
last line.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from bench.material import DATA, ROOT, edited, jaccard, recombined, sentences

MIN_JACCARD = 0.8
RUNS = 3  # of ours, of which the median counts: it takes a fraction of a second where datatrove takes half a minute
HARNESS = """
import json, resource, sys
def cpu_seconds():
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)
if __name__ == "__main__":
    few, whole, folder, out = sys.argv[1:]
    run(few, folder + "/few")
    start = cpu_seconds()
    dropped = run(whole, folder + "/whole")
    json.dump({"start": start, "seconds": cpu_seconds() - start, "dropped": dropped}, open(out, "w"))
"""
OURS = """
import json
from pathlib import Path
import numpy as np
from stages.overlap.duplicate_rules import DuplicateRules
from stages.overlap.near_duplicates import DuplicateFinder
from stages.overlap.signatures import sign
rules = DuplicateRules(shingle_words=5, num_bands=25, band_rows=5, min_jaccard=0.8)
def run(source, folder):
    texts = [json.loads(line)["text"] for line in open(source, encoding="utf-8")]
    Path(folder).mkdir(parents=True)
    finder = DuplicateFinder(rules, Path(folder))
    for i in range(0, len(texts), 1000):
        finder.add(sign(texts[i : i + 1000], rules))
    finder.find()
    return np.flatnonzero(finder.state).tolist()
"""
DATATROVE = """
import glob, json
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
def execute(*steps, tasks=1):
    LocalPipelineExecutor(pipeline=list(steps), tasks=tasks, workers=1, logging_dir=None, skip_completed=False).run()
def run(source, folder):
    reader = JsonlReader(source.rsplit("/", 1)[0], glob_pattern=source.rsplit("/", 1)[1])
    execute(reader, MinhashDedupSignature(output_folder=f"{folder}/signatures", config=config))
    execute(
        MinhashDedupBuckets(input_folder=f"{folder}/signatures", output_folder=f"{folder}/buckets", config=config), tasks=14
    )
    execute(MinhashDedupCluster(input_folder=f"{folder}/buckets", output_folder=f"{folder}/remove", config=config))
    removed = JsonlWriter(f"{folder}/removed", compression=None)
    execute(reader, MinhashDedupFilter(input_folder=f"{folder}/remove", exclusion_writer=removed))
    return sorted(int(json.loads(line)["id"]) for path in glob.glob(f"{folder}/removed/*") for line in open(path))
"""


def plant(count: int, num_pairs: int, data: Path) -> tuple[list[str], dict[int, int]]:
    """Texts, and of each planted copy the place of its original; edits of 1 to 40% of the words."""
    rng = random.Random(1)
    pool = sentences(data)
    texts = [recombined(pool, rng, 1750) for _ in range(count - num_pairs)]
    originals = rng.sample(range(len(texts)), num_pairs)
    copies = {len(texts) + number: original for number, original in enumerate(originals)}
    texts += [edited(texts[original], 0.01 + 0.39 * rng.random() ** 3, rng) for original in originals]
    return texts, copies


def install(rival: Path) -> Path:
    python = rival / "bin/python"
    if not python.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, rival], check=True)
        packages = ["datatrove[io,processing]==0.10.1", "spacy"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return python


@dataclass(frozen=True)
class Run:
    """CPU seconds of the start, with ten documents, and of all documents; the documents that go."""

    start: float
    seconds: float
    dropped: list[int]


def run_of(python: Path, program: str, few: Path, whole: Path) -> Run:
    """One run of a program, which defines `run(source, folder)`, in a process on one core."""
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "program.py"
        script.write_text(program + HARNESS)
        alone = {"OMP_NUM_THREADS": "1", "NINECHAPTERS_WORKERS": "1"}
        command = [python, script, few, whole, f"{scratch}/work", f"{scratch}/out.json"]
        done = subprocess.run(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": str(ROOT), **alone},
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise click.ClickException(done.stderr[-2000:])
        return Run(**json.loads(Path(f"{scratch}/out.json").read_text()))


def run_both(python: Path, ours: str, datatrove: str, texts: list[str], folder: Path) -> dict[str, Run]:
    """Both programs on the same documents, one after the other; of ours the median of some runs."""
    few, whole = folder / "few.jsonl", folder / "whole.jsonl"
    for path, part in ((few, texts[:10]), (whole, texts)):
        path.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(part)))
    runs = [run_of(Path(sys.executable), ours, few, whole) for _ in range(RUNS)]
    median = sorted(runs, key=lambda run: run.seconds)[RUNS // 2]
    return {"ours": median, "datatrove": run_of(python, datatrove, few, whole)}


@click.command()
@click.option("--documents", default=30_000, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=DATA, help="Real texts, where there are.")
@click.option(
    "--rival", type=click.Path(path_type=Path), default=ROOT / ".work/bench-datatrove", help="datatrove's environment."
)
@click.option("--quick", is_flag=True, help="3,000 documents.")
def main(documents: int, data: Path, rival: Path, quick: bool) -> None:
    """Compare with datatrove on planted near-duplicates."""
    documents = 3_000 if quick else documents
    texts, copies = plant(documents, documents // 10, data)
    similar = {copy for copy, original in copies.items() if jaccard(texts[copy], texts[original]) >= MIN_JACCARD}
    python = install(rival)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, run in run_both(python, OURS, DATATROVE, texts, Path(folder)).items():
            # datatrove keeps one of a cluster, not always the first: the pair counts as found when either of it goes.
            dropped = set(run.dropped)
            found = {copy for copy in copies if copy in dropped or copies[copy] in dropped}
            figures[name] = {
                "documents_per_cpu_second": round(documents / run.seconds),
                "start_cpu_seconds": round(run.start, 2),
                "precision": round(len(found & similar) / max(len(dropped), 1), 4),
                "recall": round(len(found & similar) / max(len(similar), 1), 4),
            }
            click.echo(f"{name}: {figures[name]}", err=True)
    ours, other = figures["ours"], figures["datatrove"]
    ratio = ours["documents_per_cpu_second"] / other["documents_per_cpu_second"]
    summary = {"documents": documents, "pairs": len(copies), "pairs_at_least_0.8": len(similar), **figures}
    print(
        json.dumps(
            {**summary, "ratio_to_datatrove": round(ratio, 1), "precision": ours["precision"], "recall": ours["recall"]}
        )
    )


if __name__ == "__main__":
    main()
