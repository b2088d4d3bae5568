"""Read the targets of value estimation and fine-tuning into tables, without what would leak from them into a benchmark.

    python -m stages.benchmarks.prepare_targets data/fingerprints/targets data/benchmarks data/targets data/leaks \\
        --long-words 13 ... --grade.kind gsm8k --grade.path grade_target.jsonl ...

Twelve of 1,000 MATH training problems are, word for word, questions of MMLU: a student that is trained on them, or on
texts chosen for them, has seen the test. They are kept apart, each with the benchmark's item and the words they share.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.benchmarks.sections import Target
from stages.core.command import StageError, say, stage_command
from stages.core.options import named_sections, section_options
from stages.overlap.decontamination_rules import DecontaminationRules

if TYPE_CHECKING:
    from stages.core.schemas import Row
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
    """Write what touches none of the BENCHMARKS to OUT/NAME.parquet, the others with their hits to LEAKS/NAME.parquet.

    FINGERPRINTS hold what DVC knows of the targets' files.

    \b
    Example:
        python -m stages.benchmarks.prepare_targets data/fingerprints/targets data/benchmarks data/targets data/leaks \\
            --long-words 13 --short-words 8 --min-coverage 0.5 --abstract-numbers \\
            --gsm8k.kind gsm8k --gsm8k.path gsm8k_train.jsonl --gsm8k.num_problems 0 --gsm8k.max_problems 0
    """
    from stages.core.named_tables import refuse_strays, write_names
    from stages.core.table_writer import write_table
    from stages.overlap.decontamination import load_index

    if not targets:
        raise StageError("no target is given. Name one under `targets` in params.yaml.")
    refuse_strays(fingerprints, targets)
    index = load_index(benchmarks, rules)
    for name, target in targets.items():
        clean, leaked = parted(name, target, index)
        write_table("leaked", leaked, leaks / f"{name}.parquet")
        write_table("benchmarks", clean, out / f"{name}.parquet")
    write_names(targets, leaks)
    write_names(targets, out)


def parted(name: str, target: Target, index: "Index") -> tuple[list["Row"], list["Row"]]:
    """A target's problems that touch no benchmark, and those that do."""
    from stages.benchmarks.loaders.records import load_benchmark

    rows = load_benchmark(name, target.kind, target.path, target.num_problems)
    rows = rows[: target.max_problems] if target.max_problems else rows
    hits = index.find_all([row["problem"] for row in rows])
    clean = [row for row, hit in zip(rows, hits, strict=True) if not hit]
    leaked = [leaked_row(row, hit) for row, hit in zip(rows, hits, strict=True) if hit]
    if not clean:
        raise StageError(
            f"target {name}: all {len(rows):,} problems of {target.path} touch a benchmark, such as {hits[0]}."
        )
    say(
        f"prepare_targets: {name}: took {len(clean):,} of {len(rows):,} problems of {target.path}; "
        f"leaks kept apart: {counts_of(hits) or 'none'}"
    )
    return clean, leaked


def leaked_row(row: "Row", hit: "Hit") -> "Row":
    touched = {"leaked_benchmark": hit.benchmark, "leaked_index": hit.index}
    return {**row, "reason": hit.rule, "detail": str(hit), **touched}


def counts_of(hits: list["Hit | None"]) -> dict[str, int]:
    names = [hit.benchmark for hit in hits if hit]
    return {name: names.count(name) for name in dict.fromkeys(names)}


if __name__ == "__main__":
    main()
