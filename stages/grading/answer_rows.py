"""Rows of answers or whole responses, as users bring them in JSON lines, and their grades under both policies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from stages.core.command import StageError
from stages.grading.kinds import kind_of
from stages.grading.policies import grade


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
