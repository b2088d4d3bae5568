"""Read one target of value estimation and fine-tuning into a table, without what would leak from it into a benchmark.

    python -m stages.benchmarks.prepare_targets grade data/benchmarks data/targets/grade.parquet data/leaks/grade.parquet ...

Twelve of 1,000 MATH training problems are, word for word, questions of MMLU: a student that is trained on them, or on
texts chosen for them, has seen the test. They are kept apart, each with the benchmark's item and the words they share.
"""

from collections import Counter
from pathlib import Path

import click

from stages.benchmarks.decontamination import DecontaminationRules, load_index
from stages.benchmarks.loaders.files import LOADERS, load_benchmark
from stages.benchmarks.options import decontamination_options
from stages.core.command import StageError, say, stage_command
from stages.core.tables import write_table


@stage_command("prepare_targets")
@click.argument("name")
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("leaks", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(sorted(LOADERS)), required=True, help="Which benchmark's problems they are.")
@click.option("--path", type=click.Path(path_type=Path), required=True,
              help="The JSON lines or JSON file, or a YAML file that names a dataset of the hub.")  # fmt: skip
@click.option("--num-problems", type=click.IntRange(min=0), required=True,
              help="The number of problems that the file has; another number is an error, 0 takes any.")  # fmt: skip
@click.option("--max-problems", type=click.IntRange(min=0), required=True,
              help="Take only the first so many problems; 0 takes all.")  # fmt: skip
@decontamination_options
def main(
    name: str, benchmarks: Path, out: Path, leaks: Path, kind: str, path: Path, num_problems: int, max_problems: int,
    benchmark_names: tuple[str, ...], rules: DecontaminationRules,
) -> None:  # fmt: skip
    """Read the target NAME: write what touches none of the BENCHMARKS to OUT, the others with their hits to LEAKS."""
    rows = load_benchmark(name, kind, path, num_problems)
    rows = rows[:max_problems] if max_problems else rows
    index = load_index(benchmarks, benchmark_names, rules)
    hits = index.find_all([row["problem"] for row in rows])
    clean = [row for row, hit in zip(rows, hits, strict=True) if not hit]
    leaked = [{**row, "reason": hit.rule, "detail": str(hit)} for row, hit in zip(rows, hits, strict=True) if hit]
    if not clean:
        raise StageError(f"target {name}: all {len(rows):,} problems of {path} touch a benchmark, such as {hits[0]}.")
    write_table("leaked", leaked, leaks)
    write_table("benchmarks", clean, out)
    found = dict(Counter(hit.benchmark for hit in hits if hit))
    say(
        f"prepare_targets: {name}: took {len(clean):,} of {len(rows):,} problems of {path}; leaks kept apart: {found or 'none'}"
    )


if __name__ == "__main__":
    main()
