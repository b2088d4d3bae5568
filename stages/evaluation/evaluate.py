"""Evaluate a student on the benchmarks, in natural language and with the tool; every prediction is kept.

python -m stages.evaluation.evaluate models/finetuned/pretrained/llama data/benchmarks data/targets data/leaks \\
    data/predictions/pretrained/llama METRICS --max-tokens 1024 ...
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stages.core.command import say, stage_command
from stages.core.files import write_json
from stages.core.named_tables import tables_named
from stages.core.options import section_options
from stages.evaluation.sections import EvaluationSettings, parse_shots

if TYPE_CHECKING:
    from stages.core.schemas import Row


@stage_command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("benchmarks", type=click.Path(path_type=Path))
@click.argument("targets", type=click.Path(path_type=Path))
@click.argument("leaks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("metrics", type=click.Path(path_type=Path))
@section_options(settings=EvaluationSettings)
def main(
    model: Path, benchmarks: Path, targets: Path, leaks: Path, out: Path, metrics: Path, settings: EvaluationSettings
) -> None:  # fmt: skip
    """Solve the named BENCHMARKS with MODEL; write OUT/predictions.parquet, OUT/results.json and METRICS.

    Solved problems for `shots` are of TARGETS; problems that one of LEAKS touched are counted apart.

    \b
    Example:
        python -m stages.evaluation.evaluate models/finetuned/pretrained/llama data/benchmarks data/targets data/leaks
            data/predictions/pretrained/llama reports/metrics/pretrained-llama.json --max-tokens 1024
            --max-problems 0 --num-samples 1 --temperature 0 --top-p 1 --shots aqua=mathqa:5
    """
    from stages.core.hashes import file_hash
    from stages.core.tables import read_table, write_table
    from stages.evaluation.metrics import suite_figures, task_figures
    from stages.evaluation.predictions import flagged_items, predictions_of
    from stages.evaluation.prompting import load_shots, prompt_of
    from stages.evaluation.results import results_record, task_hashes, task_name
    from stages.execution.executions import image_of
    from stages.generation.interface import Sampling
    from stages.problems.student_format import MODES

    sampling = Sampling(settings.max_tokens, settings.temperature, settings.top_p)
    shots = list(map(parse_shots, settings.shots))
    examples, flagged = load_shots(targets, shots), flagged_items(leaks)
    predictions: list[Row] = []
    figures: dict[str, dict[str, Any]] = {}
    hashes: dict[str, dict[str, str]] = {}
    suite: dict[str, dict[str, list[Row]]] = {mode: {} for mode in MODES}
    for name, table in tables_named(benchmarks, settings.benchmark).items():
        rows = read_table("benchmarks", table)[: settings.max_problems or None]
        say(
            f"evaluate: {model} on {name}, {len(rows):,} problems, modes {', '.join(MODES)}, {settings.num_samples} samples each"
        )
        for mode in MODES:
            prompts = [prompt_of(row, mode, examples.get(name, [])) for row in rows]
            hashes[task_name(name, mode)] = task_hashes(rows, prompts)
            graded = predictions_of(model, rows, prompts, mode, sampling, settings.num_samples, flagged)
            predictions += graded
            suite[mode][name] = graded
            figures.setdefault(name, {})[mode] = task_figures(graded)
    generation = {
        "max_gen_toks": settings.max_tokens, "temperature": settings.temperature, "top_p": settings.top_p,
        "do_sample": settings.temperature > 0,
    }  # fmt: skip
    config = {
        "model": str(model), "model_hash": file_hash(model), "num_samples": settings.num_samples,
        "num_fewshot": {task_name(one.benchmark, "cot"): one.count for one in shots}, "sandbox": image_of(),
        "generation_kwargs": generation,
    }  # fmt: skip
    by_task = {task_name(name, mode): figure for name, modes in figures.items() for mode, figure in modes.items()}
    write_table("predictions", predictions, out / "predictions.parquet")
    write_json(results_record(by_task, hashes, config), out / "results.json")
    write_json({**figures, "suite": {mode: suite_figures(tasks) for mode, tasks in suite.items()}}, metrics)
    for name, modes in figures.items():
        say(f"evaluate: {name}: " + ", ".join(f"{mode} {figure['accuracy']:.1%}" for mode, figure in modes.items()))


if __name__ == "__main__":
    main()
