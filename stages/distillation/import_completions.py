"""Add completions from a file to the ledger, so that nobody buys them twice.

    ninechapters import data/distillation/initial/requests.parquet completions.parquet
    ninechapters import data/distillation/initial/requests.parquet batch_output.jsonl

A Parquet file is a `completions` table of this project; a JSONL file is the output of OpenAI's Batch API with our keys
as `custom_id`, or rows of `request_id` and a completion's other columns.
"""

from pathlib import Path

import click

from stages.core.command import say, tool_command


@tool_command("import_completions")
@click.argument("requests", type=click.Path(path_type=Path))
@click.argument("completions", type=click.Path(path_type=Path))
def main(requests: Path, completions: Path) -> None:
    """Add to the ledger the COMPLETIONS of REQUESTS that it lacks; count and skip completions of other requests.

    \b
    Example:
        ninechapters import data/distillation/initial/requests.parquet batch_output.jsonl
    """
    from stages.core.tables import read_table
    from stages.distillation.completion_files import checked, read_completions
    from stages.distillation.ledger import now, own_segment, whole_ledger
    from stages.distillation.purchase import Request

    request_of = {row["request_id"]: Request.from_row(row) for row in read_table("requests", requests)}
    rows = [
        (key, answer and checked(place, answer) if key in request_of else answer)
        for place, key, answer in read_completions(completions)
    ]
    num_added = num_known = num_foreign = num_bad = 0
    with own_segment() as segment:
        known = whole_ledger().answers(set(request_of))
        for key, answer in rows:
            if key not in request_of:
                num_foreign += 1
            elif key in known:
                num_known += 1
            elif answer is None:
                num_bad += 1
            else:
                request = request_of[key]
                known[key] = answer
                segment.append({"kind": "answer", "key": key, **answer, "via": "import", "at": now(),
                                "messages": request.messages, "sampling": request.sampling})  # fmt: skip
                num_added += 1
    say(f"import_completions: added {num_added:,}; {num_known:,} were there already, "
        f"{num_foreign:,} answer no request here, {num_bad:,} have no answer")  # fmt: skip


if __name__ == "__main__":
    main()
