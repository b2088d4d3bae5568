"""Evaluate a student on the benchmarks, in natural language and with the tool; every prediction is kept.

python -m stages.evaluation.evaluate models/finetuned/pretrained/llama data/benchmarks data/targets data/leaks \\
    data/predictions/pretrained/llama METRICS --max-tokens 1024 ...
"""

from dataclasses import asdict
from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.files import write_json
from stages.core.named_tables import tables_named
from stages.core.options import section_options
from stages.evaluation.sections import EvaluationSettings, parse_shots


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
    from stages.core.table_writer import TableWriter
    from stages.core.tables import scan_table
    from stages.core.work import finish_work, rooms, work_folder
    from stages.evaluation.metrics import suite_figures, task_figures, task_of
    from stages.evaluation.results import results_record, task_hashes, task_name
    from stages.evaluation.tasks import EvaluationJob, make_predictions, predictions_in
    from stages.execution.executions import image_of
    from stages.generation.engine import narrow_type
    from stages.problems.student_format import MODES

    job = EvaluationJob(model, tables_named(benchmarks, settings.benchmark), settings, targets, leaks)
    options = {**asdict(settings), "benchmark": list(job.tables), "sandbox": image_of()}
    code = rooms("evaluation", "generation", "grading", "problems", "models", "execution")
    title = f"evaluate-{out.parent.name}-{out.name}"
    work = work_folder(title, [model, *job.tables.values(), targets, leaks], options, code)
    make_predictions(job, work)
    table = out / "predictions.parquet"
    with TableWriter("predictions", table) as writer:
        for rows in predictions_in(job, work):
            writer.write_rows(rows)
    hashes = {}
    for name, mode in job.tasks:
        questions = job.questions[name]
        hashes[task_name(name, mode)] = task_hashes(questions, job.prompts(name, mode, questions))
    tasks = {task: task_of(scan_table("predictions", table), *task) for task in job.tasks}
    figures = {name: {mode: task_figures(tasks[name, mode]) for mode in MODES} for name in job.tables}
    suite = {mode: suite_figures([tasks[name, mode] for name in job.tables]) for mode in MODES}
    generation = {
        "max_gen_toks": settings.max_tokens, "temperature": settings.temperature, "top_p": settings.top_p,
        "do_sample": settings.temperature > 0,
    }  # fmt: skip
    config = {
        "model": str(model), "model_hash": file_hash(model), "num_samples": settings.num_samples,
        "num_fewshot": {task_name(one.benchmark, "cot"): one.count for one in map(parse_shots, settings.shots)}, "sandbox": image_of(),
        "generation_kwargs": generation, **narrow_type(model),
    }  # fmt: skip
    by_task = {task_name(name, mode): figure for name, modes in figures.items() for mode, figure in modes.items()}
    write_json(results_record(by_task, hashes, config), out / "results.json")
    write_json({**figures, "suite": suite}, metrics)
    finish_work(work)
    for name, modes in figures.items():
        say(f"evaluate: {name}: " + ", ".join(f"{mode} {figure['accuracy']:.1%}" for mode, figure in modes.items()))


if __name__ == "__main__":
    main()
