"""Ask the teacher: one completion for each request, in request order. The only stage that may spend money.

    python -m stages.distillation.distill data/distillation/initial/requests.parquet .../completions.parquet
    TEACHER_LIVE=1 TEACHER_BUDGET_USD=5 dvc repro distill@initial

Answers are kept in the ledger (inside Git's folder and, once published, in `data/ledger/`), which DVC does not manage. The
completions depend only on the requests and the ledger. Without TEACHER_LIVE=1 nothing is bought. The built-in teacher is free,
always gives the same completion for the same request, and needs no ledger.
"""

from pathlib import Path
from typing import Any

import click

from stages.core.command import say, stage_command
from stages.core.options import FiniteRange, GrammarType
from stages.core.section import Grammar
from stages.distillation.concurrency import parse_model_concurrency


@stage_command("distill")
@click.argument("requests", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, envvar="TEACHER_LIVE", show_envvar=True, help="Buy what is missing.")
@click.option("--budget-usd", type=FiniteRange(min=0), envvar="TEACHER_BUDGET_USD", show_envvar=True,
              help="Limit of the total cost of this ledger (LEDGER_DIR), earlier runs included, in USD.")  # fmt: skip
@click.option("--via", type=click.Choice(["chat", "batch", "vllm"]), default="chat", envvar="TEACHER_VIA", show_envvar=True,
              help="Chat Completions, the Batch API at its discount, or vLLM in this process.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(min=1), default=64, envvar="TEACHER_CONCURRENCY", show_envvar=True,
              help="chat: concurrent calls to each model.")  # fmt: skip
@click.option("--model-concurrency", multiple=True, type=GrammarType(Grammar(parse_model_concurrency, "gpt-4-0613=8")),
              envvar="TEACHER_MODEL_CONCURRENCY", show_envvar=True,
              help="chat: MODEL=N overrides --concurrency for one model; separate several with spaces.")  # fmt: skip
@click.option("--timeout", type=FiniteRange(min=0, min_open=True), default=180.0, envvar="TEACHER_TIMEOUT", show_envvar=True,
              help="chat: time limit of a call, in seconds.")  # fmt: skip
@click.option("--patience", type=FiniteRange(min=0), default=600.0, envvar="TEACHER_PATIENCE", show_envvar=True,
              help="Seconds to wait for a server that answers no call (it restarts, or limits every call).")  # fmt: skip
@click.option("--poll", type=FiniteRange(min=0, min_open=True), default=30.0, envvar="TEACHER_POLL", show_envvar=True,
              help="batch: seconds between two checks of a batch.")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(min=1), default=20_000, envvar="TEACHER_BATCH_SIZE", show_envvar=True,
              help="batch: requests in a batch.")  # fmt: skip
@click.option("--batches", type=click.IntRange(min=1), default=8, envvar="TEACHER_BATCHES", show_envvar=True,
              help="batch: concurrent batches of each model.")  # fmt: skip
@click.option("--batch-tokens", type=click.IntRange(min=0), default=0, envvar="TEACHER_BATCH_TOKENS", show_envvar=True,
              help="batch: your limit of prompt tokens in a model's unfinished batches; 0: learn it from refusals.")  # fmt: skip
@click.option("--folder", type=click.Path(path_type=Path), envvar="TEACHER_FOLDER", show_envvar=True,
              help="vllm: the model's folder.")  # fmt: skip
def main(requests: Path, out: Path, live: bool, budget_usd: float | None, **settings: Any) -> None:
    """Write the teacher's completions of REQUESTS to OUT.

    OPENAI_BASE_URL is the address of the server, OPENAI_API_KEY its key.

    \b
    Example:
        TEACHER_LIVE=1 TEACHER_BUDGET_USD=5 python -m stages.distillation.distill
            data/distillation/initial/requests.parquet data/distillation/initial/completions.parquet
    """
    from stages.core.table_writer import write_table
    from stages.distillation.completions import completions_of, report_usage
    from stages.distillation.request_table import models_of

    models = models_of(requests).most_common()
    say(f"distill: {', '.join(f'{count:,} requests to {model}' for model, count in models)}")
    settings["model_concurrency"] = dict(map(parse_model_concurrency, settings["model_concurrency"]))
    for model in settings["model_concurrency"].keys() - dict(models).keys():
        say(f"distill: TEACHER_MODEL_CONCURRENCY names {model!r}, which no request in {requests} is for")
    write_table("completions", completions_of(requests, live, budget_usd, settings), out)
    report_usage(requests, out)


if __name__ == "__main__":
    main()
