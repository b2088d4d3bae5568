"""Drop the texts that touch a benchmark, and exact and near duplicates within and across the sources.

    python -m stages.corpus.curate_texts data/corpus data/benchmarks data/curated --source web --source wiki ...

Of texts alike the first stays, in the order of the sources. The texts are read twice: to sign them, on all workers, and
to write them. What stands between is on the disk under `.work/`, so memory does not grow with the corpus.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from stages.benchmarks.decontamination import DecontaminationRules, load_index
from stages.benchmarks.options import decontamination_options
from stages.core.command import StageError, say, stage_command
from stages.core.progress import Tracker
from stages.core.schemas import SCHEMAS, TEXT
from stages.core.tables import TableWriter, count_rows, read_batches, write_json
from stages.core.work import WORK
from stages.corpus.curation import Faults, Signer, find_faults
from stages.corpus.near_duplicates import DuplicateRules


@stage_command("curate_texts")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--source", "sources", multiple=True, required=True,
              help="A source to take; of texts alike in two sources the first named source's stays.")  # fmt: skip
@click.option("--shingle-words", type=click.IntRange(min=1), required=True,
              help="Words in a row that are one shingle of a text (FineWeb: 5).")  # fmt: skip
@click.option("--num-bands", type=click.IntRange(min=1), required=True, help="Bands of MinHashes: more find more.")
@click.option(
    "--band-rows", type=click.IntRange(min=1), required=True, help="MinHashes a band: more propose fewer pairs."
)
@click.option("--min-jaccard", type=click.FloatRange(0, 1), required=True,
              help="The least Jaccard index of two near-duplicates' shingles; 0 drops only equal texts.")  # fmt: skip
@decontamination_options
def main(
    corpus: Path, benchmarks: Path, out: Path, sources: tuple[str, ...], shingle_words: int, num_bands: int,
    band_rows: int, min_jaccard: float, benchmark_names: tuple[str, ...], rules: DecontaminationRules,
) -> None:  # fmt: skip
    """Write the texts of CORPUS/<source>/texts that stay to OUT/texts, the others to OUT/rejected, and OUT/counts.json."""
    folders = [corpus / source / "texts" for source in sources]
    total = sum(map(count_rows, folders))
    say(f"curate_texts: {total:,} texts of {len(sources)} sources; {len(benchmark_names)} benchmarks to keep out")
    index = load_index(benchmarks, benchmark_names, rules)
    work = WORK / "curate_texts"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        signer = Signer(index, DuplicateRules(shingle_words, num_bands, band_rows, min_jaccard))
        faults = find_faults(_batches(folders), signer, work, total)
        counts = write_curated(_batches(folders), faults, out, total)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_json({"sources": counts, "contaminated_by": faults.by_benchmark}, out / "counts.json")
    say(f"curate_texts: {counts_line(counts)}; next: sample_texts")


def _batches(folders: list[Path]) -> Iterator[pa.RecordBatch]:
    for folder in folders:
        yield from read_batches("texts", folder)


def write_curated(
    batches: Iterator[pa.RecordBatch], faults: Faults, out: Path, total: int
) -> dict[str, dict[str, Any]]:
    """Write what stays and what goes; counts for each source: read, kept, and rejected by reason."""
    counts: dict[str, dict[str, Any]] = {}
    row = 0
    with (
        TableWriter("texts", out / "texts") as texts,
        TableWriter("rejected_texts", out / "rejected") as rejected,
        Tracker("curate_texts: write", total, "texts") as tracker,
    ):
        for batch in batches:
            found = [faults.of(row + i) for i in range(batch.num_rows)]
            row += batch.num_rows
            texts.write(batch.filter(pa.array([fault is None for fault in found])))
            if gone := [fault for fault in found if fault]:
                columns = [*batch.filter(pa.array([fault is not None for fault in found])).columns]
                columns += [pa.array(values, TEXT) for values in zip(*gone, strict=True)]
                rejected.write(pa.RecordBatch.from_arrays(columns, schema=SCHEMAS["rejected_texts"]))
            for source, fault in zip(batch.column("source").to_pylist(), found, strict=True):
                figures = counts.setdefault(source, {"read": 0, "kept": 0, "rejected": {}})
                figures["read"] += 1
                if fault:
                    figures["rejected"][fault[0]] = figures["rejected"].get(fault[0], 0) + 1
                else:
                    figures["kept"] += 1
            tracker.advance(batch.num_rows)
        if not texts.num_rows:
            raise StageError(f"no text is left: {counts_line(counts)}. Raise min_jaccard, or add sources.")
    return counts


def counts_line(counts: dict[str, dict[str, Any]]) -> str:
    reasons: dict[str, int] = {}
    for figures in counts.values():
        for reason, count in figures["rejected"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return f"kept {sum(figures['kept'] for figures in counts.values()):,}, rejected {reasons or 'none'}"


if __name__ == "__main__":
    main()
