"""Files of completions that were bought elsewhere: tables of this project, outputs of OpenAI's Batch API, plain rows."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.core.foreign_json import refuse_constant
from stages.core.tables import Row, read_table
from stages.distillation.billing import Usage
from stages.distillation.outcomes import read_body
from stages.distillation.pricing import Price

FREE = Price(0.0, 0.0, 0.0, 1.0)
UNKNOWN = Usage(0, 0, is_estimated=True)
NEEDED = ("completion", "finish_reason", "served_model", "prompt_tokens", "completion_tokens")


def read_completions(path: Path) -> Iterator[tuple[str, Row | None]]:
    """(key, the answer's columns, or None where there is none) of each row of a file."""
    if path.suffix == ".parquet":
        for row in read_table("completions", path):
            yield row["request_id"], {name: row[name] for name in (*NEEDED, "cached_tokens", "usd")}
        return
    if not path.is_file():
        raise StageError(f"{path} is missing. Name a .parquet or .jsonl file of completions.")
    with path.open("rb") as stream:  # so a line ends at a line feed alone
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line.removeprefix(BOM_UTF8), parse_constant=refuse_constant)
                yield _key(row), _answer(row)
            except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
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
    answer = read_body(response.get("body"), FREE, UNKNOWN).answer if response.get("status_code") == 200 else None
    return {**vars(answer), "usd": 0.0} if answer else None
