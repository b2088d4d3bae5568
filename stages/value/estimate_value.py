"""Estimate the value of each candidate problem for the targets, by gradients of the reference model.

python -m stages.value.estimate_value models/synthesizer/initial models/reference data/synthesis/candidates data/targets OUT HISTOGRAM ...
"""

import csv
from pathlib import Path

import click
import numpy as np

from stages.core.command import say, stage_command
from stages.core.progress import track
from stages.core.tables import Row, read_table, write_table
from stages.training.formats import Example, student_example
from stages.training.models import load_tokenizer, use_device
from stages.training.packing import TokenizedExample, tokenize
from stages.training.targets import target_example
from stages.value.gradients import Reference, batches_of, load_reference, per_example_gradients
from stages.value.influence import candidate_values, mean_direction

NUM_BINS = 40


@stage_command("estimate_value")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("reference_folder", metavar="REFERENCE", type=click.Path(path_type=Path))
@click.argument("candidates", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("histogram", type=click.Path(path_type=Path))
@click.option("--target", "target_names", multiple=True, required=True, help="A target task.")
@click.option("--aggregate", type=click.Choice(["max", "mean"]), required=True,
              help="A candidate's value from its values for the targets (LESS: max; paper: UNKNOWN).")  # fmt: skip
@click.option("--max-length", type=click.IntRange(min=16), required=True, help="Tokens of an example (LESS: 2048).")
@click.option("--token-budget", type=click.IntRange(min=64), required=True,
              help="Padded tokens in a batch; changes speed and memory, not values.")  # fmt: skip
def main(
    base: Path, reference_folder: Path, candidates: Path, targets: Path, out: Path, histogram: Path,
    target_names: tuple[str, ...], aggregate: str, max_length: int, token_budget: int,
) -> None:  # fmt: skip
    """Write the value of each problem of CANDIDATES for the named TARGETS to OUT, and a HISTOGRAM of the values."""
    tokenizer = load_tokenizer(base)
    reference = load_reference(base, reference_folder, use_device())
    rows = read_table("problems", candidates / "problems.parquet")
    say(f"estimate_value: {len(rows):,} candidates, {len(target_names)} targets, {len(reference.taps)} LoRA layers")
    directions = {}
    for name in target_names:
        problems = read_table("benchmarks", targets / f"{name}.parquet")
        examples, num_too_long = tokenize([target_example(row) for row in problems], tokenizer, max_length)
        say(f"estimate_value: target {name}: {len(examples):,} problems, {num_too_long} too long")
        batches = tracked_gradients(reference, examples, token_budget, f"target {name}")
        directions[name] = mean_direction(batches, len(examples))
    kept, num_left_out = fitting(rows, tokenizer, max_length)
    examples = [example for _, example in kept]
    by_target: list[dict[str, float]] = [{} for _ in kept]
    batches = tracked_gradients(reference, examples, token_budget, "candidates")
    for batch, values in candidate_values(batches, directions, reference):
        for target, numbers in values.items():
            for i, number in zip(batch, numbers, strict=True):
                by_target[i][target] = number
    valued = [value_row(row, values, aggregate) for (row, _), values in zip(kept, by_target, strict=True)]
    write_histogram([row["value"] for row in valued], histogram)
    write_table("values", valued, out)
    say(f"estimate_value: valued {len(valued):,}, {num_left_out} longer than {max_length} tokens; next: select_texts")


def fitting(rows: list[Row], tokenizer: object, max_length: int) -> tuple[list[tuple[Row, TokenizedExample]], int]:
    """The candidates that fit the length, tokenized, and the number that do not."""
    kept = []
    for row in rows:
        example: Example = student_example(row["problem"], row["solution"], row["mode"])
        tokenized, _ = tokenize([example], tokenizer, max_length)  # type: ignore[arg-type]
        if tokenized:
            kept.append((row, tokenized[0]))
    return kept, len(rows) - len(kept)


def tracked_gradients(reference: Reference, examples: list[TokenizedExample], token_budget: int, title: str):  # type: ignore[no-untyped-def]
    num_batches = len(batches_of(examples, token_budget))
    gradients = per_example_gradients(reference, examples, token_budget)
    return track(gradients, f"estimate_value: {title}", num_batches, "batches")


def value_row(row: Row, values: dict[str, float], aggregate: str) -> Row:
    numbers = list(values.values())
    # Rounded to 9 digits: the last bits of a sum may depend on the batch that an example falls into.
    value = max(numbers) if aggregate == "max" else sum(numbers) / len(numbers)
    target_values = [{"target": target, "value": round(number, 9)} for target, number in values.items()]
    return {
        "problem_id": row["problem_id"],
        "text_id": row["text_id"],
        "value": round(value, 9),
        "target_values": target_values,
    }


def write_histogram(values: list[float], path: Path) -> None:
    """Counts of values in equal bins, as CSV for `dvc plots`: value, num_problems."""
    counts, edges = np.histogram(values, bins=NUM_BINS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["value", "num_problems"])
        writer.writerows((f"{edge:.4f}", int(count)) for edge, count in zip(edges[:-1], counts, strict=True))


if __name__ == "__main__":
    main()
