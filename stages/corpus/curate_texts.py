"""Drop texts that match a benchmark, and exact and near-duplicates within and across the sources.

    python -m stages.corpus.curate_texts data/corpus data/benchmarks data/curated --shingle-words 5 ...

Of near-duplicates the first is kept, in the order of the sources in params.yaml. The texts are read twice: to compute their
MinHashes, on all workers, and to write them. The hashes are on disk, under `.work/`, so memory does not grow with the corpus.
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.options import section_options
from stages.overlap.decontamination_rules import DecontaminationRules
from stages.overlap.duplicate_rules import DuplicateRules


@stage_command("curate_texts")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(duplicates=DuplicateRules, rules=DecontaminationRules)
def main(corpus: Path, benchmarks: Path, out: Path, duplicates: DuplicateRules, rules: DecontaminationRules) -> None:
    """Write the kept texts of CORPUS/NAME/texts to OUT/texts, the others to OUT/rejected, and the counts to OUT/counts.json.

    \b
    Example:
        python -m stages.corpus.curate_texts data/corpus data/benchmarks data/curated --shingle-words 5 --num-bands 25 \\
            --band-rows 5 --min-jaccard 0.8 --long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers
    """
    from stages.core.files import write_json
    from stages.core.named_tables import names_in
    from stages.core.tables import count_rows
    from stages.core.work import own
    from stages.corpus.curation import counts_line, curated
    from stages.overlap.decontamination import load_index
    from stages.overlap.screening import Screen

    own("curate_texts")  # its folder, .work/curate_texts
    folders = [corpus / source / "texts" for source in names_in(corpus)]
    total = sum(map(count_rows, folders))
    say(f"curate_texts: {total:,} texts of {len(folders)} sources")
    screen = Screen(load_index(benchmarks, rules), duplicates)
    counts, by_benchmark = curated(folders, screen, out, total)
    write_json({"sources": counts, "contaminated_by": by_benchmark}, out / "counts.json")
    say(f"curate_texts: {counts_line(counts)}; next: sample_texts")


if __name__ == "__main__":
    main()
