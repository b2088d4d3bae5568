"""Decontamination: documents a CPU-second, recall of planted leaks and false positives, beside datatrove's n-gram filter.

    python -m bench.decontamination_speed                  # 20,000 clean documents of about 290 words, 1,000 leaks
    python -m bench.decontamination_speed --quick          # 1,000 and 300

Leaks are benchmark questions of 8 words or more, 100 of each kind at the least: verbatim, embedded in another text, with
other white space and case, with other numbers, in the other notation (LaTeX as plain text, plain text as LaTeX). Clean
documents are real texts recombined sentence by sentence, without the question-and-answer source, which holds benchmark
questions. datatrove (its own defaults, 12 words, questions indexed) runs in a throw-away environment as in
bench/deduplication_speed.py, with CPU counted the same way. JSON is on the last line.
"""

import json
import random
import tempfile
from pathlib import Path

import click

from bench.deduplication_speed import install, run_both
from bench.material import DATA, LEAK_KINDS, ROOT, benchmark_rows, documents, leak
from stages.corpus.cutting import cut
from stages.overlap.words import words_of

MIN_WORDS = 8
OURS = """
import json
from stages.overlap.decontamination import Index
from stages.overlap.decontamination_rules import DecontaminationRules
index = None
def run(source, folder):
    global index
    entries = source.rsplit("/", 1)[0] + "/entries.jsonl"
    index = index or Index([tuple(json.loads(line)) for line in open(entries, encoding="utf-8")], DecontaminationRules())
    texts = [json.loads(line)["text"] for line in open(source, encoding="utf-8")]
    return [i for i, hit in enumerate(index.find_all(texts)) if hit]
"""
DATATROVE = """
import json
import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer
config = NGramsDecontConfig(find_query_ngrams=True)
NGramsDecontIndexer._requires_dependencies = []  # lighteval, for its own tasks only
check = None
def run(source, folder):
    global check
    check = check or indexed(source.rsplit("/", 1)[0] + "/entries.jsonl", folder)
    texts = [json.loads(line)["text"] for line in open(source, encoding="utf-8")]
    verdicts = [check.filter(Document(text=text, id=str(i))) for i, text in enumerate(texts)]
    return [i for i, verdict in enumerate(verdicts) if verdict is not True]
def indexed(entries, folder):
    indexer = NGramsDecontIndexer(folder, config=config)
    hashes = set()
    for line in open(entries, encoding="utf-8"):
        hashes.update(indexer.compute_hashes("", json.loads(line)[3]))
    with indexer.output_folder.open("all.index.hashes", mode="wb") as stream:
        np.array(sorted(hashes), dtype=config.hash_config.np_descr).tofile(stream)
    return NGramsDecontFilter(folder, config=config)
"""


@click.command()
@click.option("--clean", "num_clean", default=20_000, show_default=True)
@click.option("--leaks", "num_leaks", default=1_000, show_default=True)
@click.option(
    "--data", type=click.Path(path_type=Path), default=DATA, help="Real texts and benchmarks, where there are."
)
@click.option(
    "--rival", type=click.Path(path_type=Path), default=ROOT / ".work/bench-datatrove", help="datatrove's environment."
)
@click.option("--quick", is_flag=True, help="1,000 clean documents, 300 leaks, 4,000 questions.")
def main(num_clean: int, num_leaks: int, data: Path, rival: Path, quick: bool) -> None:
    """Compare with datatrove on planted leaks."""
    num_clean, num_leaks = (1_000, 300) if quick else (num_clean, num_leaks)
    rng = random.Random(1)
    rows = [row for rows in benchmark_rows(data).values() for row in rows]
    rows = rng.sample(rows, min(len(rows), 4_000)) if quick else rows
    snippets = [snippet for text in documents(data, skip=("qa",)) for snippet in cut(text, 1000) if len(snippet) > 300]
    clean = [" ".join(rng.sample(snippets, 2)) for _ in range(num_clean)]
    asked = [row for row in rows if len(words_of(row["problem"])) >= MIN_WORDS]
    kinds = [LEAK_KINDS[i % len(LEAK_KINDS)] for i in range(num_leaks)]
    leaks = [
        leak(row["problem"], kind, rng, rng.choice(snippets))
        for row, kind in zip(rng.sample(asked, num_leaks), kinds, strict=True)
    ]
    texts = clean + leaks
    python = install(rival)
    figures: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        lines = [json.dumps([row["benchmark"], row["index"], "question", row["problem"]]) + "\n" for row in rows]
        (Path(folder) / "entries.jsonl").write_text("".join(lines))
        for name, run in run_both(python, OURS, DATATROVE, texts, Path(folder)).items():
            hits = set(run.dropped)
            by_kind = {
                kind: round(sum(num_clean + i in hits for i, k in enumerate(kinds) if k == kind) / kinds.count(kind), 4)
                for kind in LEAK_KINDS
            }
            figures[name] = {
                "documents_per_cpu_second": round(len(texts) / run.seconds),
                "start_cpu_seconds": round(run.start, 2),
                "recall": round(sum(i >= num_clean for i in hits) / num_leaks, 4),
                "recall_by_kind": by_kind,
                "false_positive_frac": round(sum(i < num_clean for i in hits) / num_clean, 5),
            }
            click.echo(f"{name}: {figures[name]}", err=True)
    ours, other = figures["ours"], figures["datatrove"]
    ratio = ours["documents_per_cpu_second"] / other["documents_per_cpu_second"]
    keys = {key: ours[key] for key in ("recall", "false_positive_frac")}
    print(
        json.dumps({"clean": num_clean, "leaks": num_leaks, **figures, "ratio_to_datatrove": round(ratio, 1), **keys})
    )


if __name__ == "__main__":
    main()
