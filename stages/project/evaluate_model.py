"""Evaluate any model, by folder or hub id, on named benchmarks: a table on the terminal, and results in lm-eval's shape.

    ninechapters eval Qwen/Qwen2.5-Math-1.5B-Instruct --benchmark gsm8k --benchmark math-oai --limit 200 --out results.json

The prompts, the tool loop, the graders and the intervals are those of the stage `evaluate`. A run that was killed goes on.
"""

from pathlib import Path

import click

from stages.core.command import StageError, tool_command

MODES = ("cot", "tool")


@tool_command("eval")
@click.argument("model")
@click.option("--benchmark", "benchmarks", multiple=True, required=True, metavar="NAME|[NAME=[KIND:]]PATH",
              help="A benchmark of params.yaml, a published one (fetched at its pinned commit), or a file of yours.")  # fmt: skip
@click.option("--revision", default="main", help="Of a hub id: a commit, tag or branch; results name the commit.")
@click.option("--chat/--no-chat", "has_chat", default=None,
              help="Prompts as turns of the chat template, or as plain text; default: as the model has a template.")  # fmt: skip
@click.option("--mode", "modes", multiple=True, type=click.Choice(MODES), default=MODES, help="Words, Python, or both.")
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Only the first so many problems; 0 solves all.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=1024, help="New tokens for each call of the model.")
@click.option("--num-samples", type=click.IntRange(min=1), default=1, help="Responses to each problem.")
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, help="0 is greedy.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Nucleus.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="FILE.json for the results, or a folder: predictions, too."
)
def main(
    model: str, benchmarks: tuple[str, ...], revision: str, has_chat: bool | None, modes: tuple[str, ...], limit: int,
    max_tokens: int, num_samples: int, temperature: float, top_p: float, out: Path | None,
) -> None:  # fmt: skip
    """Evaluate MODEL, a folder or a hub id, on each --benchmark, in words and with Python.

    \b
    Example:
        ninechapters eval models/finetuned/pretrained/llama --benchmark mine=exam.jsonl --limit 100
        ninechapters eval HuggingFaceTB/SmolLM2-135M-Instruct --benchmark gsm8k --mode cot --out results.json
    """
    from stages.core.section import RuleError
    from stages.evaluation.sections import EvaluationSettings
    from stages.models.folders import use_device
    from stages.project.foreign_models import given_model, known_benchmarks
    from stages.project.model_evaluation import evaluate_given
    from stages.project.problem_files import problem_files

    try:
        settings = EvaluationSettings((), max_tokens, limit, num_samples, temperature, top_p, 0, 0.7, False, ())
    except RuleError as error:
        raise StageError(f"{error}.") from error
    use_device()
    files = problem_files(benchmarks, known_benchmarks)
    evaluate_given(given_model(model, revision), files, settings, tuple(dict.fromkeys(modes)), has_chat, out)


if __name__ == "__main__":
    main()
