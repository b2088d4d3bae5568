"""Rows of answers or whole responses, as users bring them in JSON lines, and their grades under both policies."""

import ast
import contextlib
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from stages.core.command import StageError
from stages.grading.kinds import kind_of
from stages.grading.policies import grade

PRINTED_LIST = re.compile(r"\s*\[\s*['\"(].{0,2000}\]\s*$", re.DOTALL)  # [3, 4] may be an interval


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise StageError(f"{path}:{number}: not JSON: {error}.") from error
        if not isinstance(row, dict) or row.get("gold") is None or not gold_text(row["gold"]).strip():
            raise StageError(f"{path}:{number}: not an object with `gold`. Give each row its reference answer.")
        if row.get("pred") is None and row.get("response") is None:
            raise StageError(
                f"{path}:{number}: `pred` (an answer) and `response` (a whole reply) are both missing. Give one."
            )
        yield row


def grade_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, **{policy: verdict.record() for policy, verdict in grade_row(row).items()}} for row in rows]


def gold_text(gold: Any) -> str:
    """A reference answer as text: a list by its values, as one that is printed by Python; a number as people write it."""
    if isinstance(gold, str) and PRINTED_LIST.match(gold):
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            gold = ast.literal_eval(gold)
    if isinstance(gold, list):
        return ", ".join(gold_text(value) for value in gold)
    if isinstance(gold, tuple):
        return f"({', '.join(gold_text(value) for value in gold)})"
    return f"{Decimal(repr(gold)):f}".removesuffix(".0") if isinstance(gold, float) and gold.is_integer() else str(gold)


def grade_row(row: dict[str, Any]) -> dict[str, Any]:
    options, gold = [str(option) for option in row.get("options") or []], gold_text(row["gold"])
    kind = kind_of(str(row.get("dataset") or ""), str(row.get("mode") or ""), options, gold)
    return grade(
        gold=gold, kind=kind, options=options, dataset=str(row.get("dataset") or ""),
        response=None if row.get("response") is None else str(row["response"]),
        pred=None if row.get("pred") is None else str(row["pred"]),
    )  # fmt: skip
