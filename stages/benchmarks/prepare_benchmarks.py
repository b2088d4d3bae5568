"""Read one benchmark into a table.

python -m stages.benchmarks.prepare_benchmarks grade data/benchmarks/grade.parquet --kind gsm8k --path grade.jsonl ...
"""

from pathlib import Path

import click

from stages.benchmarks.loaders.files import LOADERS, load_benchmark
from stages.core.command import say, stage_command
from stages.core.tables import write_table


@stage_command("prepare_benchmarks")
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(sorted(LOADERS)), required=True, help="Which benchmark it is, or is like.")
@click.option("--path", type=click.Path(path_type=Path), required=True,
              help="The JSON lines or JSON file, or a YAML file that names a dataset of the hub.")  # fmt: skip
@click.option("--num-problems", type=click.IntRange(min=0), required=True,
              help="The number of problems that the whole benchmark has; another number is an error, 0 takes any.")  # fmt: skip
@click.option("--max-problems", type=click.IntRange(min=0), required=True,
              help="Take only the first so many problems; 0 takes all. A reported accuracy names its number.")  # fmt: skip
def main(name: str, out: Path, kind: str, path: Path, num_problems: int, max_problems: int) -> None:
    """Read the benchmark NAME and write it to OUT."""
    rows = load_benchmark(name, kind, path, num_problems)
    kept = rows[:max_problems] if max_problems else rows
    write_table("benchmarks", kept, out)
    say(f"prepare_benchmarks: {name}: took {len(kept):,} of {len(rows):,} problems of {path}")


if __name__ == "__main__":
    main()
