"""Evaluate a student on the benchmarks, in natural language and with Python; every prediction is kept.

python -m stages.evaluation.evaluate models/finetuned/pretrained/llama data/benchmarks data/targets data/leaks \\
    data/predictions/pretrained/llama METRICS --max-tokens 1024 ...
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command
from stages.core.files import write_json
from stages.core.named_tables import tables_named
from stages.core.options import section_options
from stages.evaluation.sections import EvaluationSettings


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

    Solved problems for `shots` come from TARGETS. Problems in LEAKS are counted separately. With `majority_samples` there is
    also OUT/votes.parquet. For a MODEL with random weights, which solves nothing, all outputs are empty.

    \b
    Example:
        python -m stages.evaluation.evaluate models/finetuned/pretrained/llama data/benchmarks data/targets data/leaks
            data/predictions/pretrained/llama reports/metrics/pretrained-llama.json --max-tokens 1024
            --max-problems 0 --num-samples 1 --temperature 0 --top-p 0.95 --majority-samples 8 --majority-temperature 0.7
            --reference-loss --shots aqua=mathqa:5
    """
    from stages.core.work import finish_work
    from stages.evaluation.evaluation import evaluated
    from stages.evaluation.tasks import EvaluationJob
    from stages.models.folders import has_random_weights

    tables = tables_named(benchmarks, settings.benchmark)
    if has_random_weights(model):
        say(f"evaluate: the weights of {model} are random and untrained: it is not evaluated")
        tables = {}
    job = EvaluationJob(model, tables, settings, targets, leaks)
    figures, work = evaluated(job, f"evaluate-{out.parent.name}-{out.name}", out)
    write_json(figures, metrics)
    finish_work(work)
    for name in job.tables:
        say(
            f"evaluate: {name}: "
            + ", ".join(f"{mode} {figure['accuracy']:.1%}" for mode, figure in figures[name].items())
        )


if __name__ == "__main__":
    main()
