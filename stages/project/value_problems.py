"""Value the problems of an existing data set for a target, with any model: the gradients of the stage `estimate_value`.

    ninechapters value problems.jsonl valued.jsonl --target gsm8k_train --model HuggingFaceTB/SmolLM2-135M-Instruct

A value is the cosine of a problem's gradient with the target's mean gradient: how far a step on it would go where the target
asks for. A run that was killed goes on.
"""

from pathlib import Path
from typing import Literal, cast

import click

from stages.core.command import StageError, tool_command


@tool_command("value")
@click.argument("problems", metavar="IN", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--target", "targets", multiple=True, required=True, metavar="NAME|[NAME=[KIND:]]PATH",
              help="A target of params.yaml, a published one, or a file of problems with solutions.")  # fmt: skip
@click.option("--model", required=True, help="A folder or a hub id; its layers get LoRA weights.")
@click.option("--revision", default="main", help="Of a hub id: a commit, tag or branch.")
@click.option("--reference", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Trained LoRA checkpoints of MODEL (models/reference); default: fresh ones, the model as it is.")  # fmt: skip
@click.option("--preconditioner", type=click.Choice(["adam", "sgd"]), help="Default: adam with --reference, else sgd.")
@click.option("--lora-rank", type=click.IntRange(min=1), default=16, help="Of fresh LoRA weights: more is more exact.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, help="Of fresh LoRA weights.")
@click.option("--aggregate", type=click.Choice(["max", "mean"]), default="max", help="One value of several targets'.")
@click.option("--column", default="value", help="The value's column; target_NAMEs and NAME_fault are the others'.")
@click.option("--max-length", type=click.IntRange(min=16), default=1024, help="Tokens of a problem with its solution.")
@click.option("--token-budget", type=click.IntRange(min=64), default=8192, help="Padded tokens in a batch; no value.")
def main(
    problems: Path, out: Path, targets: tuple[str, ...], model: str, revision: str, reference: Path | None,
    preconditioner: str | None, lora_rank: int, seed: int, aggregate: str, column: str, max_length: int, token_budget: int,
) -> None:  # fmt: skip
    """Write the rows of IN with their values for each --target to OUT, in order.

    IN is JSON lines, a JSON list, CSV, TSV (compressed or not) or Parquet with columns problem and solution, or question and answer,
    instruction and output, prompt and response, messages. OUT is JSON lines (.jsonl) or Parquet (.parquet). A row gets `value`,
    `target_values`, and where there is none `value_fault`, the reason. To value it for a second target, name another --column.

    \b
    Example:
        ninechapters value mine.jsonl valued.jsonl --target target.jsonl --model models/base/llama
        ninechapters value mine.parquet valued.parquet --target math_train --model Qwen/Qwen2.5-Math-1.5B
    """
    from stages.models.folders import use_device
    from stages.project.foreign_models import given_model
    from stages.project.problem_valuation import Request, value_rows
    from stages.project.valued_rows import check_out
    from stages.value.sections import GradientSettings

    step = preconditioner or ("adam" if reference else "sgd")
    if step == "adam" and not reference:
        raise StageError("--preconditioner adam needs AdamW's moments: name trained checkpoints with --reference.")
    check_out(problems, out)
    use_device()
    gradients = GradientSettings(
        "mean", cast(Literal["adam", "sgd"], step), max_length, max(token_budget, max_length), 512, 0, "float16", 1
    )
    value_rows(
        Request(
            problems,
            out,
            targets,
            given_model(model, revision),
            reference,
            gradients,
            lora_rank,
            seed,
            aggregate,
            column,
        )
    )


if __name__ == "__main__":
    main()
