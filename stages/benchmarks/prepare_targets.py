"""Read the targets of value estimation and fine-tuning into tables, without the problems that leak a benchmark.

    python -m stages.benchmarks.prepare_targets data/fingerprints/targets data/benchmarks data/targets data/leaks \\
        --long-words 13 ... --grade.kind gsm8k --grade.path grade_target.jsonl ...

Twelve of 1,000 MATH training problems are, word for word, questions of MMLU: a student trained on them, or on texts
chosen for them, has seen the test. They go to a table of their own, each with the benchmark's problem and the shared words.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.benchmarks.sections import Target
from stages.core.command import StageError, say, stage_command
from stages.core.options import named_sections, section_options
from stages.overlap.decontamination_rules import DecontaminationRules

if TYPE_CHECKING:
    from stages.core.schemas import Row
    from stages.core.table_writer import TableWriter
    from stages.overlap.decontamination import Hit, Index


@stage_command("prepare_targets")
@click.argument("fingerprints", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("leaks", type=click.Path(path_type=Path))
@section_options(rules=DecontaminationRules)
@named_sections("targets", Target)
def main(
    fingerprints: Path,
    benchmarks: Path,
    out: Path,
    leaks: Path,
    rules: DecontaminationRules,
    targets: dict[str, Target],
) -> None:
    """Write target problems that match no benchmark to OUT/NAME.parquet, the others with their matches to LEAKS/NAME.parquet.

    BENCHMARKS is the folder of the benchmarks' tables, FINGERPRINTS that of the checksums of the targets' files.

    \b
    Example:
        python -m stages.benchmarks.prepare_targets data/fingerprints/targets data/benchmarks data/targets data/leaks \\
            --long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers \\
            --gsm8k.kind gsm8k --gsm8k.path gsm8k_train.jsonl --gsm8k.num_problems 0 --gsm8k.max_problems 0
    """
    from stages.core.named_tables import refuse_strays, write_names
    from stages.core.table_writer import TableWriter
    from stages.overlap.decontamination import load_index

    if not targets:
        raise StageError("no target is given. Name one under `targets` in params.yaml.")
    refuse_strays(fingerprints, targets)
    index = load_index(benchmarks, rules)
    for name, target in targets.items():
        with (
            TableWriter("leaked", leaks / f"{name}.parquet") as leaked,
            TableWriter("benchmarks", out / f"{name}.parquet") as clean,
        ):
            part(name, target, index, clean, leaked)
    write_names(targets, leaks)
    write_names(targets, out)


def part(name: str, target: Target, index: "Index", clean: "TableWriter", leaked: "TableWriter") -> None:
    """Write a target's problems that touch no benchmark to one table, the others to another."""
    counts, example = Counter[str](), ""
    for batch in checked(name, target, index):
        clean.write_rows([row for row, hit in batch if not hit])
        leaked.write_rows([leaked_row(row, hit) for row, hit in batch if hit])
        counts.update(hit.benchmark for _, hit in batch if hit)
        example = example or next((str(hit) for _, hit in batch if hit), "")
    total = clean.num_rows + leaked.num_rows
    if not clean.num_rows:
        raise StageError(
            f"target {name}: all {total:,} problems of {target.path} match a benchmark, such as {example}."
        )
    say(
        f"prepare_targets: {name}: took {clean.num_rows:,} of {total:,} problems of {target.path}; "
        f"leaks: {dict(counts) or 'none'}"
    )


def checked(name: str, target: Target, index: "Index") -> Iterator[list[tuple["Row", "Hit | None"]]]:
    """The target's problems that may be taken, in batches, each with the benchmark's item that it touches; on all CPUs.

    The whole file is read, whatever `max_problems`: a fault behind them is told.
    """
    from stages.benchmarks.loaders.records import benchmark_rows
    from stages.core.parallel import batched, ordered_map
    from stages.core.tables import BATCH_ROWS

    def find(rows: list["Row"]) -> list[tuple["Row", "Hit | None"]]:
        return list(zip(rows, index.find_all([row["problem"] for row in rows]), strict=True))

    rows = benchmark_rows(name, target.kind, target.path, target.num_problems)
    yield from ordered_map(find, batched(islice(rows, target.max_problems or None), BATCH_ROWS))
    for _ in rows:
        pass


def leaked_row(row: "Row", hit: "Hit") -> "Row":
    touched = {"leaked_benchmark": hit.benchmark, "leaked_index": hit.index}
    return {**row, "reason": hit.rule, "detail": str(hit), **touched}


if __name__ == "__main__":
    main()
