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
def main(name: str, out: Path, kind: str, path: Path, num_problems: int) -> None:
    """Read the benchmark NAME and write it to OUT, whole: what is evaluated is evaluate's choice, what is kept out all."""
    rows = load_benchmark(name, kind, path, num_problems)
    write_table("benchmarks", rows, out)
    say(f"prepare_benchmarks: {name}: {len(rows):,} problems of {path}")


if __name__ == "__main__":
    main()
