"""The records of somebody's file of problems, one at a time: JSON lines, a JSON list or Parquet, known by what stands there, or CSV and
TSV, known by name.

for one in problem_records(Path("mine.jsonl.gz")): ...      # ProblemRecord(3, {"question": ...}, b'{"question": ...}')
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.expansion import BrokenFile, expanded
from stages.core.foreign_csv import csv_rows, separator_of
from stages.core.foreign_json import parse_json
from stages.core.foreign_parquet import parquet_rows
from stages.core.formats import HEAD_BYTES, PARQUET, format_of
from stages.core.lines import headed, numbered_lines, utf8_blocks

MAX_LINE_BYTES = 16 << 20
READ = "Problems are JSON lines, a JSON list, CSV or TSV (known by the end of the name), or Parquet."


@dataclass(frozen=True)
class ProblemRecord:
    number: int  # of its line, or of its row, from 1
    content: Any  # None where it cannot be read
    line: bytes = b""  # as it stands in a file of JSON lines
    fault: str = ""  # why it cannot be read, or what of it is no JSON and was left out


def problem_records(path: Path) -> Iterator[ProblemRecord]:
    """Each record in order.

    Raises:
        StageError: the file is of another format, or breaks off.
    """
    try:
        head, blocks = headed(utf8_blocks(expanded(path)), HEAD_BYTES)
        found = format_of(head[:HEAD_BYTES])
        if found is PARQUET:
            yield from (ProblemRecord(number, row) for number, row in parquet_rows(path))
        elif found:
            raise StageError(f"{path} is {found.name}. {READ} {found.advice}")
        elif separator := separator_of(path, head):
            for number, row, told in csv_rows(path, blocks, separator):
                yield ProblemRecord(number, None if told else row, fault=told)
        elif re.match(rb"\s*\[\s*(?:\{|\]\s*$)", head):
            yield from _listed(path, b"".join(blocks))
        else:
            yield from _lines(blocks)
    except BrokenFile as error:
        raise StageError(f"{path} cannot be read: {error}.") from error


def _lines(blocks: Iterable[bytes]) -> Iterator[ProblemRecord]:
    for number, line in numbered_lines(blocks, MAX_LINE_BYTES):
        if isinstance(line, int):
            yield ProblemRecord(number, None, fault=f"a line of {line:,} bytes, over {MAX_LINE_BYTES:,}")
            continue
        try:
            content, fault = parse_json(line)
            yield ProblemRecord(number, content, line, fault)
        except ValueError as error:
            yield ProblemRecord(number, None, fault=str(error))


def _listed(path: Path, content: bytes) -> Iterator[ProblemRecord]:
    try:
        listed, fault = parse_json(content)
    except ValueError as error:
        raise StageError(f"{path} begins as a JSON list, and cannot be read: {error}. {READ}") from error
    for number, record in enumerate(listed, 1):
        yield ProblemRecord(number, record, fault=fault)
