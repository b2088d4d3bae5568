"""Graded items a CPU-second, over real responses, beside math-verify alone on the same items in the same run.

    python -m bench.grading_speed             # ../shared/data/grading/real_responses.jsonl
    python -m bench.grading_speed --quick     # 300 of them

Ours grades each item under both policies, extraction included; the CPU time of the process that does the algebra counts.
math-verify alone is `verify(parse(gold), parse(response))` with its own timeouts, as its README has it.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stages.grading.answer_rows import grade_row
from stages.grading.equivalence import is_equal
from stages.grading.kinds import kind_of
from stages.grading.policies import grade_as_ours
from stages.grading.symbolic import _workers, compare_latex

DATA = Path("../shared/data/grading/real_responses.jsonl")


def cpu_seconds() -> float:
    """Of this process and of its worker that does the algebra."""
    worker = _workers[os.getpid()].worker
    assert worker is not None
    times = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return time.process_time() + sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def rate_of(grade: Callable[[dict[str, Any]], Any], rows: list[dict[str, Any]]) -> float:
    started = cpu_seconds()
    for row in rows:
        grade(row)
    return len(rows) / (cpu_seconds() - started)


def ours_alone(row: dict[str, Any]) -> None:
    kind = kind_of(row["dataset"], "", row["options"], row["gold"])
    grade_as_ours(row["gold"], kind, row["response"], None, row["options"], row["dataset"], False)


def with_math_verify(row: dict[str, Any]) -> None:
    from math_verify import parse, verify

    verify(parse(f"${row['gold']}$"), parse(row["response"]))


@click.command()
@click.option("--quick", is_flag=True, help="300 responses.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True)
def main(quick: bool, data: Path) -> None:
    """Grade every response; print one JSON object on the last line."""
    rows = []
    for line in data.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["mode"] != "pot":
            options = [choice.split(")", 1)[-1] for choice in row.get("choices") or []]
            rows.append(
                {"dataset": row["dataset"], "response": row["response"], "gold": str(row["gold"]), "options": options}
            )
    rows = rows[:: max(1, len(rows) // 300)] if quick else rows
    compare_latex("x+1", "1+x")  # starts the worker
    for warm in (grade_row, with_math_verify):
        warm(rows[0] | {"response": "\\boxed{x + 1}", "gold": "1 + x"})
    both = rate_of(grade_row, rows)
    theirs = rate_of(with_math_verify, rows)
    is_equal.cache_clear()
    alone = rate_of(ours_alone, rows)
    print(json.dumps({
        "items_per_cpu_second": round(both, 1), "ratio_to_math_verify": round(both / theirs, 2), "math_verify_items_per_cpu_second": round(theirs, 1),
        "ours_alone_items_per_cpu_second": round(alone, 1), "num_items": len(rows),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
