"""Read published fine-tuning data, rows of `input` and `output`, without the rows that leak a benchmark.

    python -m stages.corpus.prepare_examples data/fingerprints/examples data/benchmarks data/examples --long-words 13 ... \\
        --sft.kind hub --sft.path inputs/JiuZhang3.0-Corpus-SFT.yaml

Of 1,000 rows of the release's set, 17 share 13 words in a row with a benchmark, and three are whole questions of MMLU.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.core.command import StageError, say, stage_command
from stages.core.options import named_sections, section_options
from stages.corpus.sections import ExampleSource
from stages.overlap.decontamination_rules import DecontaminationRules

if TYPE_CHECKING:
    from stages.core.schemas import Row
    from stages.corpus.readers.documents import Chunk
    from stages.overlap.decontamination import Index


@stage_command("prepare_examples")
@click.argument("fingerprints", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@section_options(rules=DecontaminationRules)
@named_sections("examples", ExampleSource)
def main(
    fingerprints: Path, benchmarks: Path, out: Path, rules: DecontaminationRules, examples: dict[str, ExampleSource]
) -> None:
    """Write the well-formed rows of each source that match no benchmark to OUT/NAME.parquet, the others to OUT/rejected.

    BENCHMARKS is the folder of the benchmarks' tables, FINGERPRINTS that of the sources' checksums. Without sources OUT has no tables.

    \b
    Example:
        python -m stages.corpus.prepare_examples data/fingerprints/examples data/benchmarks data/examples \\
            --long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers --sft.kind jsonl --sft.path sft.jsonl
    """
    from stages.core.named_tables import refuse_strays, write_names
    from stages.overlap.decontamination import load_index

    refuse_strays(fingerprints, examples)
    if examples:
        index = load_index(benchmarks, rules)
        for name, source in examples.items():
            write_examples(name, source, index, out)
    else:
        say("prepare_examples: params.yaml names no examples")
    write_names(examples, out)


def write_examples(name: str, source: ExampleSource, index: "Index", out: Path) -> None:
    """Write a source's two tables; reading ends with `max_examples` sound rows."""
    from stages.core.parallel import ordered_map
    from stages.core.table_writer import TableWriter
    from stages.corpus.example_rows import example_chunks, rejected_table_of, table_of

    def read(chunk: "Chunk") -> tuple[list["Row"], list["Row"]]:
        return parted(name, chunk, index)

    counts, first = Counter[str](), dict[str, str]()
    with (
        TableWriter("examples", table_of(name, out)) as taken,
        TableWriter("rejected_examples", rejected_table_of(name, out)) as rejected,
    ):
        for sound, bad in ordered_map(read, example_chunks(source)):
            rows = sound[: source.max_examples - taken.num_rows] if source.max_examples else sound
            taken.write_rows(rows)
            rejected.write_rows(bad)
            counts.update([row["mode"] for row in rows] + [row["reason"] for row in bad])
            first = {**{row["reason"]: row["detail"] for row in reversed(bad)}, **first}
            if source.max_examples and taken.num_rows >= source.max_examples:
                break
        if not taken.num_rows:
            told = "".join(f"\n  {reason}: {detail[:300]}" for reason, detail in sorted(first.items()))
            raise StageError(
                f"examples {name}: no row of {source.path} is valid. Correct its kind, path or column in params.yaml. "
                f"The first of each reason:{told or ' it is empty.'}"
            )
        say(f"prepare_examples: {name}: took {taken.num_rows:,} rows, rejected {rejected.num_rows:,}: {dict(counts)}")


def parted(name: str, chunk: "Chunk", index: "Index") -> tuple[list["Row"], list["Row"]]:
    """The rows of a chunk that may be learnt, and the others with their reasons."""
    from stages.corpus.example_rows import read_rows, rejected_example

    sound, bad = read_rows(name, chunk)
    hits = index.find_all([problem for _, problem in sound])
    kept = [row for (row, _), hit in zip(sound, hits, strict=True) if not hit]
    leaked = [rejected_example(row, "contaminated", str(hit)) for (row, _), hit in zip(sound, hits, strict=True) if hit]
    return kept, bad + leaked


if __name__ == "__main__":
    main()
