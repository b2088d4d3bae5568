"""Rows of `input` and `output`, as others publish them to fine-tune with: which are sound, and in what mode a student is asked.

    {"input": "## Question\\nTom has ...\\n\\n## Code Solution\\n", "output": "```python ..."}    -> tool, as it stands
    {"input": "Tom has 3 apples ...", "output": "He has 3 + 4 = 7 ..."}                         -> cot, put into the form of a question

The first is the form of the release's corpora (ToheartZhang/JiuZhang3.0-Corpus-SFT, 2.86 million rows): a heading of its own says
whether code is asked for. Headings of another spelling (`### Question:`, `## Solution` at the head of the output) are replaced by
that form. A row without one for its solution is asked for code where its output has a program.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.schemas import Row
from stages.core.tables import content_id
from stages.corpus.readers.documents import BadRecord, Chunk, Columns, Document, Record, dig
from stages.corpus.readers.registry import READERS
from stages.corpus.sections import ExampleSource, parse_example_column
from stages.problems.fences import PYTHON
from stages.problems.student_format import COT, TOOL, student_prompt

QUESTION = re.compile(r"\s*## Question\s*\n(?P<problem>.*)\n## (?P<heading>[^\n]*Solution)\s*", re.DOTALL)
END = r"\**[^\S\n]*(?::\**[^\S\n]*\n?|\n|\Z)"  # of a heading: a colon, after which text may stand, or the line's end
QUESTION_HEADING = re.compile(rf"\s*#{{1,6}}[^\S\n]*\**(?:question|problem)(?:[^\S\n]+\d+)?{END}", re.IGNORECASE)
SOLUTION_HEADING = re.compile(
    rf"^[^\S\n]*#{{1,6}}[^\S\n]*\**(?P<heading>(?:[\w-]+[^\S\n]+){{0,3}}(?:solution|answer)){END}",
    re.IGNORECASE | re.MULTILINE,
)
CODE_HEADING = re.compile(r"\b(?:code|python)\b", re.IGNORECASE)
PROGRAM = re.compile(rf"(?:`{{3,}}|~{{3,}})[^\S\n]*{PYTHON.pattern}", re.IGNORECASE)


@dataclass(frozen=True)
class ExampleColumns(Columns):
    """Where in a record the output (as `text`) and the input (as `title`) stand: both are strings, or the record is bad."""

    def document(self, record: Any, place: str, fault: str = "") -> Record:
        given = dig(record, self.title) if isinstance(record, dict) else None
        try:
            is_text = given is None or isinstance(given.decode("utf-8") if isinstance(given, bytes) else given, str)
        except UnicodeDecodeError as error:
            return BadRecord(place, "unreadable", f"column {self.title!r} is not UTF-8: {error.reason}")
        if is_text:
            return super().document(record, place, fault)
        told = f"column {self.title!r} holds a {type(given).__name__}, not a string"
        return BadRecord(place, "unreadable", f"{told}. Write the question alone: chat messages are not read")


def example_chunks(source: ExampleSource) -> Iterable[Chunk]:
    """The records of a source in chunks: a document's text is the output, its title the input."""
    columns = {"input": "input", "output": "output", **dict(map(parse_example_column, source.column))}
    return READERS[source.kind](source.path, ExampleColumns(text=columns["output"], title=columns["input"]))


def read_rows(name: str, chunk: Chunk) -> tuple[list[tuple[Row, str]], list[Row]]:
    """The rows of a chunk, each with the problem that it asks, and those that are rejected."""
    sound, rejected = [], []
    for record in chunk.records():
        if isinstance(record, BadRecord):
            rejected.append(rejected_example(_row(name, "", "", ""), record.reason, f"{record.place}: {record.detail}"))
            continue
        row, problem = example_row(name, record)
        lacking = "no_input" if not problem.strip() else "no_output" if not row["output"].strip() else ""
        if lacking:
            rejected.append(
                rejected_example(row, lacking, f"{record.place}: {lacking.removeprefix('no_')} is missing or empty")
            )
        else:
            sound.append((row, problem))
    return sound, rejected


def example_row(name: str, record: Document) -> tuple[Row, str]:
    """The row of a record, and the problem that it asks."""
    head = SOLUTION_HEADING.match(record.text.lstrip())
    output = record.text.lstrip()[head.end() :].lstrip("\n") if head else record.text
    if headed := QUESTION.fullmatch(record.title):
        return _row(name, _mode_of(headed["heading"]), record.title, output), headed["problem"].strip()
    problem, heading, begun = _parts(record.title)
    if heading:
        mode = _mode_of(heading)
    else:
        mode = TOOL if PROGRAM.search(output) or (head and CODE_HEADING.search(head["heading"])) else COT
    return _row(name, mode, student_prompt(problem, mode) + begun, output), problem


def _parts(title: str) -> tuple[str, str, str]:
    """An input's problem, the heading of its solution ("" where it has none), and what it says of the solution already."""
    question = QUESTION_HEADING.match(title)
    asked = title[question.end() :] if question else title
    solution = SOLUTION_HEADING.search(asked)
    if not solution or (not question and asked[solution.end() :].strip()):  # a section of the problem
        return asked.strip(), "", ""
    return asked[: solution.start()].strip(), solution["heading"], asked[solution.end() :].lstrip()


def _mode_of(heading: str) -> str:
    return TOOL if CODE_HEADING.search(heading) else COT


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
