"""Ask the teacher: one completion for each request, in request order. The only stage that may spend money.

    python -m stages.distillation.distill data/distillation/initial/requests.parquet .../completions.parquet

So far there is the built-in teacher, which is free and answers the same request with the same completion, so nothing
can be paid twice. Which teacher is asked is the model that the requests name.
"""

import json
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.progress import track
from stages.core.tables import Row, read_table, write_table
from stages.core.usage import write_usage
from stages.distillation.teacher import MODEL, ask_builtin


@stage_command("distill")
@click.argument("requests", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(requests: Path, out: Path) -> None:
    """Write the teacher's completions of REQUESTS to OUT."""
    rows = read_table("requests", requests)
    say(f"distill: {len(rows):,} requests")
    completions = [complete(row) for row in track(rows, "distill", len(rows), "requests")]
    write_table("completions", completions, out)
    num_prompt_tokens = sum(row["prompt_tokens"] for row in completions)
    num_completion_tokens = sum(row["completion_tokens"] for row in completions)
    write_usage("distill", requests, {
        "requests": len(rows), "prompt_tokens": num_prompt_tokens, "completion_tokens": num_completion_tokens, "usd": 0.0,
    })  # fmt: skip
    say(f"distill: {num_prompt_tokens:,} tokens in, {num_completion_tokens:,} out, 0 USD; next: parse_completions")


def complete(request: Row) -> Row:
    """The completion of one request, by the teacher that it names."""
    model = json.loads(request["sampling"])["model"]
    if model != MODEL:
        raise StageError(
            f"request {request['request_id'][:12]} names the teacher {model!r}, but the only teacher here is {MODEL!r}. "
            f"Set build_requests.model to it in params.yaml."
        )
    answer = ask_builtin(request["request_id"], json.loads(request["messages"]))
    return {"request_id": request["request_id"], **vars(answer)}


if __name__ == "__main__":
    main()
