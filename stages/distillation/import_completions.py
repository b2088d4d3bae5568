"""Refill the ledger from a file of completions, so that what somebody has bought is not bought again.

    python -m stages.distillation.import_completions requests.parquet completions.parquet
    python -m stages.distillation.import_completions requests.parquet batch_output.jsonl

A Parquet file is a `completions` table of this project; a JSONL file is the output of OpenAI's Batch API with our keys
as `custom_id`, or rows of `request_id` and a completion's other columns.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from stages.core.command import StageError, say, stage_command
from stages.core.tables import Row, read_table
from stages.distillation.ledger import Segment, hold, live_folder, now, whole_ledger
from stages.distillation.outcomes import read_body
from stages.distillation.pricing import Price
from stages.distillation.purchase import Request

FREE = Price(0.0, 0.0, 0.0, 1.0)
NEEDED = ("completion", "finish_reason", "served_model", "prompt_tokens", "completion_tokens")


@stage_command("import_completions")
@click.argument("requests", type=click.Path(path_type=Path))
@click.argument("completions", type=click.Path(path_type=Path))
def main(requests: Path, completions: Path) -> None:
    """Add the COMPLETIONS of REQUESTS that the ledger lacks; what answers no request is counted and left out."""
    request_of = {row["request_id"]: Request.from_row(row) for row in read_table("requests", requests)}
    known = whole_ledger().answers(set(request_of))
    rows = list(read_completions(completions))
    num_added = num_known = num_foreign = num_bad = 0
    with hold(live_folder()), Segment.create(live_folder()) as segment:
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
    say(f"import_completions: added {num_added:,}; {num_known:,} were there, {num_foreign:,} answer no request here, "
        f"{num_bad:,} hold no answer")  # fmt: skip


def read_completions(path: Path) -> Iterator[tuple[str, Row | None]]:
    """(key, the answer's columns, or None where there is none) of each row of a file."""
    if path.suffix == ".parquet":
        for row in read_table("completions", path):
            yield row["request_id"], {name: row[name] for name in (*NEEDED, "cached_tokens", "usd")}
        return
    if not path.is_file():
        raise StageError(f"{path} is missing. Name a .parquet or .jsonl file of completions.")
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
                yield _key(row), _answer(row)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise StageError(
                    f"{path}:{number}: neither a line of a batch's output (custom_id, response) nor a completion "
                    f"(request_id, {', '.join(NEEDED)}): {error!r}. Correct the line; nothing of it was imported."
                ) from error


def _key(row: Row) -> str:
    return str(row["custom_id"] if "custom_id" in row else row["request_id"])


def _answer(row: Row) -> Row | None:
    if "custom_id" not in row:
        return {
            **{name: row[name] for name in NEEDED},
            "cached_tokens": row.get("cached_tokens", 0),
            "usd": row.get("usd", 0.0),
        }
    response = row.get("response") or {}
    answer = read_body(response.get("body"), FREE).answer if response.get("status_code") == 200 else None
    return {**vars(answer), "usd": 0.0} if answer else None


if __name__ == "__main__":
    main()
