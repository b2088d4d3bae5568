"""Evaluate a student on the benchmarks, in natural language and with the tool; every prediction is kept.

python -m stages.evaluation.evaluate models/finetuned/pretrained/llama data/benchmarks data/targets data/leaks \\
    data/predictions/pretrained/llama METRICS --benchmark grade ...
"""

from pathlib import Path
from typing import Any

import click
import xxhash

from stages.core.command import say, stage_command
from stages.core.parallel import ordered_map
from stages.core.tables import Row, read_table, seed_of, write_json, write_table
from stages.evaluation.grading import grade
from stages.evaluation.metrics import suite_figures, task_figures
from stages.evaluation.prompting import Shots, load_shots, parse_shots, prompt_of
from stages.evaluation.results import results_record, task_hashes, task_name
from stages.evaluation.solving import Response, solve
from stages.execution.executions import image_of
from stages.synthesis.generation import Prompt, Sampling
from stages.training.formats import MODES

BATCH = 64


@stage_command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("leaks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@click.option("--benchmark", "benchmark_names", multiple=True, required=True, help="A benchmark to solve.")
@click.option("--max-tokens", type=click.IntRange(min=1), required=True,
              help="New tokens for each call of the model (release: 1024).")  # fmt: skip
@click.option("--max-problems", type=click.IntRange(min=0), required=True,
              help="Solve only the first so many of each benchmark; 0 solves all. An accuracy names its number.")  # fmt: skip
@click.option("--num-samples", type=click.IntRange(min=1), required=True,
              help="Responses to each problem (release: 1); from two on also pass@k and maj@k.")  # fmt: skip
@click.option("--temperature", type=click.FloatRange(min=0), required=True, help="0 is greedy (release: 0).")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), required=True, help="Nucleus (release: 1).")
@click.option("--shots", multiple=True, callback=parse_shots,
              help="benchmark=target:count, solved problems before its questions (release: 5 for aqua, sat_math, mmlu_stem).")  # fmt: skip
def main(
    model: Path, benchmarks: Path, targets: Path, leaks: Path, out: Path, metrics: Path,
    benchmark_names: tuple[str, ...], max_tokens: int, max_problems: int, num_samples: int, temperature: float,
    top_p: float, shots: dict[str, Shots],
) -> None:  # fmt: skip
    """Solve the named BENCHMARKS with MODEL; write OUT/predictions.parquet, OUT/results.json and METRICS.

    Solved problems for `shots` are of TARGETS; problems that one of LEAKS touched are counted apart.
    """
    sampling = Sampling(max_tokens, temperature, top_p)
    examples, flagged = load_shots(targets, shots), flagged_items(leaks)
    predictions: list[Row] = []
    figures: dict[str, dict[str, Any]] = {}
    hashes: dict[str, dict[str, str]] = {}
    suite: dict[str, dict[str, list[Row]]] = {mode: {} for mode in MODES}
    for name in benchmark_names:
        rows = read_table("benchmarks", benchmarks / f"{name}.parquet")[: max_problems or None]
        say(
            f"evaluate: {model} on {name}, {len(rows):,} problems, modes {', '.join(MODES)}, {num_samples} samples each"
        )
        for mode in MODES:
            prompts = [prompt_of(row, mode, examples.get(name, [])) for row in rows]
            hashes[task_name(name, mode)] = task_hashes(rows, prompts)
            graded = _solve(model, rows, prompts, mode, sampling, num_samples, flagged)
            predictions += graded
            suite[mode][name] = graded
            figures.setdefault(name, {})[mode] = task_figures(graded)
    shot_counts = {task_name(name, "cot"): wanted.count for name, wanted in shots.items()}
    config = {
        "model": str(model), "model_hash": model_hash(model), "num_samples": num_samples, "num_fewshot": shot_counts,
        "sandbox": image_of(),
        "generation_kwargs": {"max_gen_toks": max_tokens, "temperature": temperature, "top_p": top_p, "do_sample": temperature > 0},
    }  # fmt: skip
    by_task = {task_name(name, mode): figure for name, modes in figures.items() for mode, figure in modes.items()}
    write_table("predictions", predictions, out / "predictions.parquet")
    write_json(results_record(by_task, hashes, config), out / "results.json")
    write_json({**figures, "suite": {mode: suite_figures(tasks) for mode, tasks in suite.items()}}, metrics)
    for name, modes in figures.items():
        say(f"evaluate: {name}: " + ", ".join(f"{mode} {figure['accuracy']:.1%}" for mode, figure in modes.items()))


def _solve(
    model: Path, rows: list[Row], prompts: list[str], mode: str, sampling: Sampling, num_samples: int,
    flagged: set[tuple[str, int]],
) -> list[Row]:  # fmt: skip
    """The graded predictions of a task: all samples of a problem one after the other."""
    asked = [(row, prompt, sample) for row, prompt in zip(rows, prompts, strict=True) for sample in range(num_samples)]
    seeds = [seed_of("evaluate", row["benchmark"], str(row["index"]), mode, str(sample)) for row, _, sample in asked]
    responses = solve(
        model, [Prompt(prompt, seed) for (_, prompt, _), seed in zip(asked, seeds, strict=True)], mode, sampling
    )
    jobs = [
        (row, mode, sample, response, (row["benchmark"], row["index"]) in flagged)
        for (row, _, sample), response in zip(asked, responses, strict=True)
    ]
    batches = [jobs[start : start + BATCH] for start in range(0, len(jobs), BATCH)]
    return [row for batch in ordered_map(_grade_batch, batches) for row in batch]


def _grade_batch(jobs: list[tuple[Row, str, int, Response, bool]]) -> list[Row]:
    return [prediction_of(*job) for job in jobs]


def prediction_of(row: Row, mode: str, sample: int, response: Response, is_flagged: bool) -> Row:
    """The prediction of one response under both policies, with the rules that decided."""
    is_cut = response.finish_reason == "length"
    verdicts = grade(
        gold=row["answer"], kind=row["kind"], response=response.answering, options=row["options"],
        dataset=row["benchmark"], is_truncated=is_cut,
    )  # fmt: skip
    ours, jiuzhang = verdicts["ours"], verdicts["jiuzhang"]
    flags = [*ours.flags, *([] if response.is_isolated else ["unsafe_execution"])]
    return {
        "benchmark": row["benchmark"], "index": row["index"], "mode": mode, "sample": sample, "kind": row["kind"],
        "response": response.text, "extracted": ours.extracted, "answer": row["answer"], "correct": ours.correct,
        "reason": ours.rule, "flags": flags, "jiuzhang_extracted": jiuzhang.extracted,
        "jiuzhang_correct": jiuzhang.correct, "finish_reason": response.finish_reason,
        "executions": list(response.executions), "turns": len(response.executions), "tokens": response.tokens,
        "is_flagged": is_flagged,
    }  # fmt: skip


def flagged_items(leaks: Path) -> set[tuple[str, int]]:
    """The benchmark problems that a problem of a target touched, from the details of `leaked` rows: "gsm8k[12]: ..."."""
    found = set()
    for path in sorted(leaks.glob("*.parquet")):
        for row in read_table("leaked", path):
            name, _, rest = row["detail"].partition("[")
            number = rest.partition("]")[0]
            if number.isdigit():
                found.add((name, int(number)))
    return found


def model_hash(model: Path) -> str:
    """A hash of the model's files, by name and content."""
    digest = xxhash.xxh3_128()
    for path in sorted(model.glob("*")):
        if path.is_file():
            digest.update(path.name.encode())
            with path.open("rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
