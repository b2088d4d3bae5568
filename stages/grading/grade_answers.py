"""Grade answers or whole responses in a JSON-lines file, under both policies.

ninechapters grade IN.jsonl OUT.jsonl

A row has `gold`, and `pred` (an answer) or `response` (a whole reply). It may have `dataset` (which implies the kind of
answer), `mode` ("number", "math", "choice" or "text", if there is no dataset) and `options`.
"""

import json
from pathlib import Path

import click

from stages.core.command import say, tool_command
from stages.core.files import write_text

BATCH_ROWS = 100


@tool_command("grade_answers")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(source: Path, out: Path) -> None:
    """Write each row of IN to OUT with its grades, `correct, extracted, rule, flags`, under `ours` and under `jiuzhang`.

    \b
    Example:
        ninechapters grade answers.jsonl graded.jsonl
    """
    from stages.core.parallel import ordered_map
    from stages.grading.answer_rows import grade_rows, read_rows
    from stages.grading.policies import POLICIES, VERSION

    rows = list(read_rows(source))
    batches = [rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS)]
    graded = [row for batch in ordered_map(grade_rows, batches) for row in batch]
    write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in graded), out)
    counts = {policy: sum(row[policy]["correct"] for row in graded) for policy in POLICIES}
    say(
        f"grade_answers: {len(graded):,} rows, grader {VERSION}; correct: "
        + ", ".join(f"{k} {v:,}" for k, v in counts.items())
    )


if __name__ == "__main__":
    main()
