"""The rows that the page's browsers show, packed: JSON, compressed, in base64, so that 100,000 problems are some megabytes.

    pack({"columns": [...], "rows": [...]})  -> "H4sIAAAA...\\nH4sIAAAA..."

The first line holds all but the rows, each further line a block of rows. A browser decompresses them one after the other
once the page is there (DecompressionStream), and draws only the rows in view.
"""

import base64
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

from stages.core.files import finite
from stages.core.tables import Row, read_table
from stages.statistics.comparison import TaskComparison

PROBLEM_COLUMNS = (
    "round", "verdict", "detail", "source", "level", "mode", "problem", "solution", "answer", "synthesizer", "id", "text",
    "value",
)  # fmt: skip
FLIP_COLUMNS = (
    "student", "benchmark", "mode", "index", "change", "cause", "question", "answer", "extracted_a", "rule_a",
    "extracted_b", "rule_b", "response_a", "response_b",
)  # fmt: skip
MAX_FLIPS = 2000
BLOCK_ROWS = 4000


def pack(table: dict[str, Any]) -> str:
    """A table as lines of base64 of gzip of JSON; equal tables are equal text."""
    rows = table["rows"]
    blocks = [rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS)]
    return "\n".join(map(_packed, [{key: value for key, value in table.items() if key != "rows"}, *blocks]))


def _packed(content: Any) -> str:
    data = json.dumps(finite(content), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode()


def problems_table(data: Path, max_problems: int) -> dict[str, Any]:
    """Problems of every round with their verdicts and the texts that they were made of; {columns, rows, texts, total}.

    Beyond `max_problems` those with the lowest hashes of their ids are shown: a fair part that any run chooses again.
    """
    texts: dict[str, int] = {}
    text_rows: list[list[str]] = []
    known = {
        row["text_id"]: row
        for name in ("initial", "candidate", "synthesis")
        for row in read_table("texts", data / "texts" / f"{name}.parquet")
    }
    values = {row["problem_id"]: row["value"] for row in read_table("values", data / "value" / "values")}
    rows: list[tuple[int, list[Any]]] = []
    total = 0
    for round_name, verdict, row in _problems(data):
        total += 1
        rank = xxhash.xxh3_64_intdigest(f"{row['problem_id']}{row['text_id']}{round_name}".encode())
        rows.append((rank, [
            round_name, verdict, row.get("detail", ""), known.get(row["text_id"], {}).get("source", ""), row["prompt"], row["mode"],
            row["problem"], row["solution"], row["answer"], row["synthesizer"], row["problem_id"], row["text_id"],
            values.get(row["problem_id"]) if round_name == "candidates" else None,
        ]))  # fmt: skip
    if len(rows) > max_problems:
        rows = sorted(rows, key=lambda item: item[0])[:max_problems]
    for _, cells in rows:
        text_id = cells[11]
        if text_id not in texts:
            texts[text_id] = len(text_rows)
            text = known.get(text_id, {})
            text_rows.append(
                [text.get(column, "") for column in ("text_id", "source", "title", "url", "license", "text")]
            )
        cells[11] = texts[text_id]
    return {"columns": PROBLEM_COLUMNS, "rows": [cells for _, cells in rows], "texts": text_rows, "total": total}


def _problems(data: Path) -> Any:
    """(round, verdict, row) of what teachers and synthesizers wrote, kept and rejected."""
    for name in ("initial", "boost"):
        for row in read_table("problems", data / "problems" / name / "problems.parquet"):
            yield f"taught: {name}", "kept", row
        for row in read_table("rejected", data / "problems" / name / "rejected.parquet"):
            yield f"taught: {name}", row["reason"], row
    for row in read_table("problems", data / "synthesis" / "candidates" / "problems.parquet"):
        yield "candidates", "kept", row
    for row in read_table("problems", data / "synthetic" / "problems.parquet"):
        yield "corpus", "kept", row
    for row in read_table("rejected", data / "synthetic" / "rejected.parquet"):
        yield "corpus", row["reason"], row


def flips_table(student: str, tasks: list[TaskComparison], questions: dict[tuple[str, int], str]) -> list[list[Any]]:
    """The flips between the control (a) and the pre-trained student (b), right to wrong first."""
    flips = [flip for task in tasks for flip in task.flips]
    flips.sort(key=lambda flip: (not flip.was_correct, flip.benchmark, flip.mode, flip.index))
    return [
        [
            student, flip.benchmark, flip.mode, flip.index, "right to wrong" if flip.was_correct else "wrong to right", flip.cause,
            questions.get((flip.benchmark, flip.index), ""), flip.b["answer"], flip.a["extracted"], flip.a["reason"],
            flip.b["extracted"], flip.b["reason"], flip.a["response"], flip.b["response"],
        ]
        for flip in flips[:MAX_FLIPS]
    ]  # fmt: skip


def questions_of(data: Path, benchmarks: Iterable[str]) -> dict[tuple[str, int], str]:
    rows: list[Row] = [
        row for name in benchmarks for row in read_table("benchmarks", data / "benchmarks" / f"{name}.parquet")
    ]
    return {(row["benchmark"], row["index"]): row["problem"] for row in rows}
