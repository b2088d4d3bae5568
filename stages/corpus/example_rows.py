"""Rows of `input` and `output`, as others publish them to fine-tune with: which are sound, and in what mode a student is asked.

    {"input": "## Question\\nTom has ...\\n\\n## Code Solution\\n", "output": "```python ..."}    -> tool, as it stands
    {"input": "Tom has 3 apples ...", "output": "He has 3 + 4 = 7 ..."}                         -> cot, put into the form of a question

The first is the form of the release's corpora (ToheartZhang/JiuZhang3.0-Corpus-SFT, 2.86 million rows): a heading of its own says
whether code is asked for. A row without one is asked for code where its output has a program.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from stages.core.schemas import Row
from stages.core.tables import content_id
from stages.corpus.readers.documents import BadRecord, Chunk, Columns, Document
from stages.corpus.readers.registry import READERS
from stages.corpus.sections import ExampleSource, parse_example_column
from stages.problems.student_format import COT, TOOL, student_prompt

QUESTION = re.compile(r"\s*## Question\s*\n(?P<problem>.*)\n## (?P<heading>[^\n]*Solution)\s*", re.DOTALL)
CODE_HEADING, PROGRAM = "Code Solution", "```python"


def example_chunks(source: ExampleSource) -> Iterable[Chunk]:
    """The records of a source in chunks: a document's text is the output, its title the input."""
    columns = {"input": "input", "output": "output", **dict(map(parse_example_column, source.column))}
    return READERS[source.kind](source.path, Columns(text=columns["output"], title=columns["input"]))


def read_rows(name: str, chunk: Chunk) -> tuple[list[tuple[Row, str]], list[Row]]:
    """The rows of a chunk, each with the problem that it asks, and those that are rejected."""
    sound, rejected = [], []
    for record in chunk.records():
        if isinstance(record, BadRecord):
            rejected.append(rejected_example(_row(name, "", "", ""), record.reason, f"{record.place}: {record.detail}"))
            continue
        row, problem = example_row(name, record)
        lacking = "no_input" if not problem.strip() else "no_output" if not record.text.strip() else ""
        if lacking:
            rejected.append(
                rejected_example(row, lacking, f"{record.place}: {lacking.removeprefix('no_')} is missing or empty")
            )
        else:
            sound.append((row, problem))
    return sound, rejected


def example_row(name: str, record: Document) -> tuple[Row, str]:
    """The row of a record, and the problem that it asks."""
    if headed := QUESTION.fullmatch(record.title):
        mode = TOOL if headed["heading"].strip() == CODE_HEADING else COT
        return _row(name, mode, record.title, record.text), headed["problem"].strip()
    problem = record.title.strip()
    mode = TOOL if PROGRAM in record.text else COT
    return _row(name, mode, student_prompt(problem, mode), record.text), problem


def rejected_example(row: Row, reason: str, detail: str) -> Row:
    return {**row, "reason": reason, "detail": detail}


def _row(name: str, mode: str, prompt: str, output: str) -> Row:
    return {
        "example_id": content_id("example", prompt, output), "source": name, "mode": mode, "input": prompt, "output": output,
    }  # fmt: skip


def table_of(name: str, out: Path) -> Path:
    return out / f"{name}.parquet"


def rejected_table_of(name: str, out: Path) -> Path:
    return out / "rejected" / f"{name}.parquet"
