"""Read the benchmarks into tables.

    python -m stages.benchmarks.prepare_benchmarks data/fingerprints/benchmarks data/benchmarks \\
        --grade.kind gsm8k --grade.path grade.jsonl --grade.num_problems 300 ...
"""

from pathlib import Path

import click

from stages.benchmarks.sections import Benchmark
from stages.core.command import StageError, say, stage_command
from stages.core.options import named_sections


@stage_command("prepare_benchmarks")
@click.argument("fingerprints", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@named_sections("benchmarks", Benchmark)
def main(fingerprints: Path, out: Path, benchmarks: dict[str, Benchmark]) -> None:
    """Write each benchmark to OUT/NAME.parquet, whole: `evaluate` may sample it, decontamination uses all of it.

    FINGERPRINTS is the folder of the checksums of their files.

    \b
    Example:
        python -m stages.benchmarks.prepare_benchmarks data/fingerprints/benchmarks data/benchmarks \\
            --gsm8k.kind gsm8k --gsm8k.path gsm8k.jsonl --gsm8k.num_problems 1319
    """
    from stages.benchmarks.loaders.records import benchmark_rows
    from stages.core.named_tables import refuse_strays, write_names
    from stages.core.table_writer import write_table

    if not benchmarks:
        raise StageError("no benchmark is given. Name one under `benchmarks` in params.yaml.")
    refuse_strays(fingerprints, benchmarks)
    for name, one in benchmarks.items():
        count = write_table(
            "benchmarks", benchmark_rows(name, one.kind, one.path, one.num_problems), out / f"{name}.parquet"
        )
        say(f"prepare_benchmarks: {name}: {count:,} problems of {one.path}")
    write_names(benchmarks, out)


if __name__ == "__main__":
    main()
