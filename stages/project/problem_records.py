"""The records of somebody's file of problems, one at a time: JSON lines or Parquet, known by its bytes.

for number, record in numbered_records(Path("mine.jsonl.gz")): ...      # (3, {"question": ...}), (4, BadLine("not JSON: ..."))
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.expansion import BrokenFile, expanded
from stages.core.foreign_json import parse_json
from stages.core.foreign_parquet import parquet_rows
from stages.core.formats import HEAD_BYTES, PARQUET, format_of
from stages.core.lines import numbered_lines, utf8_blocks

MAX_LINE_BYTES = 16 << 20


@dataclass(frozen=True)
class BadLine:
    fault: str


def numbered_records(path: Path) -> Iterator[tuple[int, Any]]:
    """Each record with its line or row from 1; a line that cannot be read is a BadLine.

    Raises:
        StageError: the file is of another format, or breaks off.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    found = format_of(head)
    if found is PARQUET:
        yield from parquet_rows(path)
        return
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        raise StageError(f"{path} is a JSON list. Make JSON lines of it: jq -c '.[]' {path} > lines.jsonl")
    try:
        for number, line in numbered_lines(utf8_blocks(expanded(path)), MAX_LINE_BYTES):
            yield number, _parsed(line)
    except BrokenFile as error:
        raise StageError(f"{path} cannot be read: {error}.") from error


def _parsed(line: bytes | int) -> Any:
    if isinstance(line, int):
        return BadLine(f"a line of {line:,} bytes, over {MAX_LINE_BYTES:,}")
    try:
        return parse_json(line)[0]
    except ValueError as error:
        return BadLine(str(error))
