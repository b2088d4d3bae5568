"""Evaluate a student on the benchmarks, in natural language and with the tool; every prediction is kept.

python -m stages.evaluation.evaluate models/finetuned/llama data/benchmarks data/predictions/pretrained/llama METRICS --benchmark grade ...
"""

from collections import Counter
from pathlib import Path

import click

from stages.benchmarks.questions import posed
from stages.core.command import say, stage_command
from stages.core.tables import Row, read_table, write_json, write_table
from stages.evaluation.answers import is_equal
from stages.evaluation.intervals import accuracy_record
from stages.evaluation.solving import Response, solve
from stages.training.formats import MODES


@stage_command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.option("--benchmark", "benchmark_names", multiple=True, required=True, help="A benchmark to solve.")
@click.option("--max-tokens", type=click.IntRange(min=1), required=True,
              help="New tokens for each call of the model (release: 1024).")  # fmt: skip
@click.option("--max-problems", type=click.IntRange(min=0), required=True,
              help="Solve only the first so many of each benchmark; 0 solves all. An accuracy names its number.")  # fmt: skip
def main(
    model: Path, benchmarks: Path, out: Path, metrics: Path, benchmark_names: tuple[str, ...], max_tokens: int,
    max_problems: int,
) -> None:  # fmt: skip
    """Solve the named BENCHMARKS with MODEL; write OUT/predictions.parquet and METRICS."""
    predictions: list[Row] = []
    figures: dict[str, dict[str, object]] = {}
    for name in benchmark_names:
        rows = read_table("benchmarks", benchmarks / f"{name}.parquet")[: max_problems or None]
        say(f"evaluate: {model} on {name}, {len(rows):,} problems, modes {', '.join(MODES)}")
        for mode in MODES:
            responses = solve(model, [posed(row) for row in rows], mode, max_tokens)
            graded = [grade(row, mode, response) for row, response in zip(rows, responses, strict=True)]
            predictions += graded
            figures.setdefault(name, {})[mode] = summary(graded, responses)
    write_table("predictions", predictions, out / "predictions.parquet")
    write_json(figures, metrics)
    for name, modes in figures.items():
        say(f"evaluate: {name}: " + ", ".join(f"{mode} {figure['accuracy']:.1%}" for mode, figure in modes.items()))  # type: ignore[index]


def grade(row: Row, mode: str, response: Response) -> Row:
    """The prediction of one response, with the rule that decided."""
    extraction = response.extraction
    correct, rule = is_equal(extraction.answer, row["answer"])
    return {
        "benchmark": row["benchmark"], "index": row["index"], "mode": mode, "response": response.text,
        "extracted": extraction.answer, "answer": row["answer"], "correct": correct,
        "reason": f"{extraction.rule}/{rule}", "turns": response.turns, "tokens": response.tokens,
    }  # fmt: skip


def summary(graded: list[Row], responses: list[Response]) -> dict[str, float | int]:
    """Accuracy with its interval, and how many were answered, truncated or used the tool."""
    rules = Counter(row["reason"].split("/")[0] for row in graded)
    return {
        **accuracy_record(sum(row["correct"] for row in graded), len(graded)),
        "num_boxed": rules["boxed"],
        "num_unanswered": rules["none"],
        "num_truncated": sum(response.finish_reason == "length" for response in responses),
        "num_with_program": sum(response.turns > 0 for response in responses),
    }


if __name__ == "__main__":
    main()
