"""Grade answers or whole responses in a JSON-lines file, under both policies.

python -m stages.evaluation.grade_answers IN.jsonl OUT.jsonl

A row has `gold`, and `pred` (an answer) or `response` (a whole reply); it may have `dataset` (its kind of answers follows
from it), `mode` ("number", "math", "choice" or "text", where no dataset says it) and `options`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson

from stages.core.command import StageError, say, stage_command
from stages.core.parallel import ordered_map
from stages.core.tables import write_text
from stages.evaluation.grading import POLICIES, VERSION, grade
from stages.evaluation.kinds import kind_of

BATCH_ROWS = 100


@stage_command("grade_answers")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(source: Path, out: Path) -> None:
    """Write each row of IN to OUT with `correct, extracted, rule, flags` under `ours` and under `jiuzhang`."""
    rows = list(read_rows(source))
    batches = [rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS)]
    graded = [row for batch in ordered_map(grade_rows, batches) for row in batch]
    write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in graded), out)
    counts = {policy: sum(row[policy]["correct"] for row in graded) for policy in POLICIES}
    say(
        f"grade_answers: {len(graded):,} rows, grader {VERSION}; correct: "
        + ", ".join(f"{k} {v:,}" for k, v in counts.items())
    )


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise StageError(f"{path}:{number}: not JSON: {error}.") from error
        if not isinstance(row, dict) or row.get("gold") is None:
            raise StageError(f"{path}:{number}: no object with `gold`. Give each row its reference answer.")
        if row.get("pred") is None and row.get("response") is None:
            raise StageError(f"{path}:{number}: neither `pred` (an answer) nor `response` (a whole reply).")
        yield row


def grade_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, **{policy: verdict.record() for policy, verdict in grade_row(row).items()}} for row in rows]


def grade_row(row: dict[str, Any]) -> dict[str, Any]:
    options = [str(option) for option in row.get("options") or []]
    kind = kind_of(str(row.get("dataset") or ""), str(row.get("mode") or ""), options, str(row["gold"]))
    return grade(
        gold=str(row["gold"]), kind=kind, options=options, dataset=str(row.get("dataset") or ""),
        response=None if row.get("response") is None else str(row["response"]),
        pred=None if row.get("pred") is None else str(row["pred"]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
