"""Near-duplicates: documents a CPU-second, precision and recall, beside datatrove's four MinHash stages on the same input.

    python -m bench.deduplication_speed                    # 30,000 documents of about 290 words, 3,000 planted pairs
    python -m bench.deduplication_speed --quick            # 3,000 documents, 300 pairs

datatrove is installed into a throw-away environment (`--rival FOLDER`, by default .work/bench-datatrove). Each program
is a process on one core that reads the JSON lines and writes which documents go; its CPU is that of the process with its
children, less that of the same program on ten documents, which is its start. A planted pair counts when its exact
Jaccard index (five words in a row) is at least 0.8; what goes without such a partner is a false positive. JSON is on the
last line.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from bench.material import DATA, ROOT, edited, jaccard, recombined, sentences

MIN_JACCARD = 0.8
OURS = """
import json, sys
from pathlib import Path
import numpy as np
from stages.overlap.near_duplicates import DuplicateFinder, sign
from stages.overlap.duplicate_rules import DuplicateRules
texts = [json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf-8")]
folder = Path(sys.argv[2])
folder.mkdir()
rules = DuplicateRules(shingle_words=5, num_bands=25, band_rows=5, min_jaccard=0.8)
finder = DuplicateFinder(rules, folder)
for i in range(0, len(texts), 1000):
    finder.add(sign(texts[i : i + 1000], rules), np.zeros(len(texts[i : i + 1000]), bool))
finder.find()
json.dump(np.flatnonzero(finder.state).tolist(), open(sys.argv[3], "w"))
"""
DATATROVE = """
import json, sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
if __name__ == "__main__":
    source, folder, out = sys.argv[1:]
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    reader = JsonlReader(source.rsplit("/", 1)[0], glob_pattern=source.rsplit("/", 1)[1])
    def run(*steps, tasks=1):
        LocalPipelineExecutor(pipeline=list(steps), tasks=tasks, workers=1, logging_dir=None, skip_completed=False).run()
    run(reader, MinhashDedupSignature(output_folder=f"{folder}/signatures", config=config))
    run(MinhashDedupBuckets(input_folder=f"{folder}/signatures", output_folder=f"{folder}/buckets", config=config), tasks=14)
    run(MinhashDedupCluster(input_folder=f"{folder}/buckets", output_folder=f"{folder}/remove", config=config))
    removed = JsonlWriter(f"{folder}/removed", compression=None)
    run(reader, MinhashDedupFilter(input_folder=f"{folder}/remove", exclusion_writer=removed))
    import glob
    ids = [int(json.loads(line)["id"]) for path in glob.glob(f"{folder}/removed/*") for line in open(path)]
    json.dump(sorted(ids), open(out, "w"))
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


def cpu_of(python: Path, program: str, source: Path) -> tuple[float, list[int]]:
    """CPU seconds of one run, and the documents that go."""
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "program.py"
        script.write_text(program)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [python, script, source, f"{scratch}/work", f"{scratch}/out.json"]
        done = subprocess.run(
            list(map(str, command)), env=environment, cwd=scratch, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise click.ClickException(done.stderr[-2000:])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        dropped = json.loads(Path(f"{scratch}/out.json").read_text())
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, dropped


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
        whole, few = Path(folder) / "whole.jsonl", Path(folder) / "few.jsonl"
        for path, part in ((whole, texts), (few, texts[:10])):
            path.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(part)))
        for name, interpreter, program in (("ours", Path(sys.executable), OURS), ("datatrove", python, DATATROVE)):
            start, _ = cpu_of(interpreter, program, few)
            seconds, dropped = cpu_of(interpreter, program, whole)
            # datatrove keeps one of a cluster, not always the first: the pair counts as found when either of it goes.
            found = {copy for copy in copies if copy in dropped or copies[copy] in dropped}
            figures[name] = {
                "documents_per_cpu_second": round(documents / max(seconds - start, 1e-9)),
                "start_cpu_seconds": round(start, 2),
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
