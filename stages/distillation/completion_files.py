"""Files of completions that were bought elsewhere: tables of this project, outputs of OpenAI's Batch API, plain rows.

A batch's lines are read as those of batches that this project has submitted; each answer is checked as the ledger does.
"""

from collections.abc import Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.core.redaction import scrub
from stages.core.tables import Row, read_table
from stages.distillation.batch_lines import read_line
from stages.distillation.billing import Usage
from stages.distillation.ledger_rows import RowError, check_fields
from stages.distillation.pricing import Price
from stages.generation.replies import read_json

FREE = Price(0.0, 0.0, 0.0, 1.0)
UNKNOWN = Usage(0, 0, is_estimated=True)
NEEDED = ("completion", "finish_reason", "served_model", "prompt_tokens", "completion_tokens")


def read_completions(path: Path) -> Iterator[tuple[str, str, Row | None]]:
    """(place, key, the answer's columns, or None where there is none) of each row of a file; blank lines are none.

    Raises:
        StageError: the file is missing, or a line is no completion.
    """
    if path.suffix == ".parquet":
        for number, row in enumerate(read_table("completions", path)):
            yield f"{path}: row {number}", row["request_id"], _columns(row)
        return
    if not path.is_file():
        raise StageError(f"{path} is missing. Name a .parquet or .jsonl file of completions.")
    with path.open("rb") as stream:  # so a line ends at a line feed alone
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield f"{path}:{number}", *_read_line(path, number, line)


def _read_line(path: Path, number: int, line: bytes) -> tuple[str, Row | None]:
    try:
        row = read_json(line)
        if "custom_id" in row:
            key, outcome = read_line(line, FREE, lambda _: UNKNOWN)
            return key, {**vars(outcome.answer), "usd": 0.0} if outcome.answer else None
        return str(row["request_id"]), _columns(row)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise StageError(
            f"{path}:{number}: neither a line of a batch's output (custom_id, response) nor a completion "
            f"(request_id, {', '.join(NEEDED)}): {error!r}. Correct the line; nothing of it was imported."
        ) from error


def _columns(row: Row) -> Row:
    return {
        **{name: row[name] for name in NEEDED},
        "cached_tokens": row.get("cached_tokens", 0),
        "usd": row.get("usd", 0.0),
    }


def checked(place: str, answer: Row) -> Row:
    """An answer that the ledger can read again.

    Raises:
        StageError: one of its columns is none that an answer may have.
    """
    text = answer["completion"]
    answer = {**answer, "completion": scrub(text) if isinstance(text, str) else text}
    try:
        check_fields({"kind": "answer", "key": "", "via": "import", **answer})
    except RowError as error:
        raise StageError(f"{place}: {error}, which an answer cannot have. Correct it; nothing was imported.") from error
    return answer
