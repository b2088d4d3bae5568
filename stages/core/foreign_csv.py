r"""The rows of somebody's CSV or TSV, one at a time; every cell is text, as it stands.

    separator_of(Path("mine.csv.gz"), b"question,answer\n")  -> ","
    for number, row, fault in csv_rows(Path("mine.csv"), blocks, ","): ...      # (2, {"question": ..., "answer": "007"}, "")

By its bytes a CSV may be any text, so its name tells; semicolons, tabulators and bars in a .csv are told by the first line. A TSV's
cell may begin with a quotation mark that quotes nothing: what cannot be read as quoted is taken as it stands.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.core.expansion import SUFFIXES
from stages.core.lines import with_line_feeds

SEPARATORS = {"csv": ",;\t|", "tsv": "\t"}  # that a file of this name may have; of equally frequent ones the first
JSON_BEGINNING = re.compile(rb"\s*(?:\{|\[\s*[\[{\]])")  # of JSON that is called CSV
DECLARED = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)  # a first line by which Excel is told the separator
MAX_CELL_CHARS = 16 << 20
MAX_LINES_OF_TSV = 200  # of a quoted cell
UNREADABLE = re.compile("[\udc80-\udcff]")  # what is no UTF-8, as surrogateescape has it
UNCLOSED = "unexpected end of data"
Cells = tuple[int, list[str], str]  # number of the last line; cells; a fault


def separator_of(path: Path, head: bytes) -> str:
    """What separates the cells of a file of this name that begins with `head`; "" where it is neither CSV nor TSV."""
    name = path.name.lower().removesuffix(path.suffix.lower() if path.suffix.lower() in SUFFIXES else "")
    known = SEPARATORS.get(name.rpartition(".")[2], "")
    if not known or JSON_BEGINNING.match(head):
        return ""
    first = head.lstrip(b"\r\n ").replace(b"\r", b"\n").partition(b"\n")[0].decode("utf-8", "replace")
    declared = DECLARED.fullmatch(first)
    return declared[1] if declared else max(known, key=re.sub('"[^"]*"', "", first).count)


def csv_rows(path: Path, blocks: Iterable[bytes], separator: str) -> Iterator[tuple[int, dict[str, str], str]]:
    """Each row under the names of the first one, with the number of its last line, and a fault ("" where there is none).

    A cell that a row lacks is left out, and so are empty cells without a name and rows of empty cells. A row that has a fault has
    none of its cells.

    Raises:
        StageError: the first row cannot be read, two columns have one name, or a quotation mark is not closed.
    """
    csv.field_size_limit(1 << 30)  # what is too long is one row's fault
    lines = _text_lines(blocks)
    rows = _rows_of_tabs(lines) if separator == "\t" else _rows(path, lines, separator)
    names = _names(path, rows, separator)
    for number, cells, fault in rows:
        if not fault and not any(map(str.strip, cells)):
            continue
        fault = fault or _fault(cells, names, separator)
        yield number, {} if fault else {name: cell for name, cell in zip(names, cells, strict=False) if name}, fault


def _names(path: Path, rows: Iterator[Cells], separator: str) -> list[str]:
    """The columns' names; "" of a column without one."""
    for number, cells, fault in rows:
        if not any(map(str.strip, cells)) or (number == 1 and DECLARED.fullmatch(separator.join(cells))):
            continue
        names = [name.strip() for name in cells]
        if twice := [name for name, count in Counter(filter(None, names)).items() if count > 1]:
            fault = f"several columns are called {twice[0]!r}. Give each its own name"
        if fault := fault or _fault(cells, names, separator):
            raise StageError(f"{path}:{number}: the first line has the columns' names: {fault}.")
        return names
    return []


def _fault(cells: list[str], names: list[str], separator: str) -> str:
    nameless = [cell for name, cell in zip(names, cells, strict=False) if not name] + cells[len(names) :]
    if any(map(str.strip, nameless)):
        num_names = len([name for name in names if name])
        return f"{len(cells)} cells under {num_names} columns: quote what has a {separator!r}"
    if (longest := max(map(len, cells), default=0)) > MAX_CELL_CHARS:
        return f"a cell of {longest:,} characters, over {MAX_CELL_CHARS:,}; perhaps a quotation mark before it is not closed"
    if any(map(UNREADABLE.search, cells)):
        return "it is not UTF-8 (convert the file, as from Latin-1: iconv -f latin1 -t utf-8)"
    return ""


def _rows(path: Path, lines: Iterator[str], separator: str) -> Iterator[Cells]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if UNCLOSED in str(error):
                raise StageError(
                    f"{path}:{begin}: a quotation mark that this row opens is not closed. Close it, or write it twice within quotation "
                    "marks."
                ) from error
            yield reader.line_num, [], f"its quotation marks cannot be read: {error}"
        else:
            yield reader.line_num, cells, ""


def _rows_of_tabs(lines: Iterator[str]) -> Iterator[Cells]:
    """Rows of a TSV: quoted cells, which may have several lines, where all of them are; else a line's cells as they stand."""
    waiting: list[str] = []
    number = 0
    while waiting or (waiting := [line for line in [next(lines, "")] if line]):
        taken, cells = 1, _quoted(waiting[:1])
        while cells is None and taken < MAX_LINES_OF_TSV:
            if taken == len(waiting) and not (line := next(lines, "")):
                break
            waiting += [line] if taken == len(waiting) else []
            taken += 1
            if '"' in waiting[taken - 1]:
                cells = _quoted(waiting[:taken])
        if not cells:
            taken, cells = 1, waiting[0].rstrip("\n").split("\t")
        number += taken
        del waiting[:taken]
        yield number, cells, ""


def _quoted(lines: list[str]) -> list[str] | None:
    """The cells of a row; [] where its quotation marks are none, None where one is still open."""
    try:
        (cells,) = csv.reader(["".join(lines)], delimiter="\t", strict=True)
    except csv.Error as error:
        return None if UNCLOSED in str(error) else []
    return cells


def _text_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines with their ends; of bytes that are no UTF-8, surrogates."""
    rest = b""
    for block in with_line_feeds(blocks):
        *lines, rest = (rest + block).split(b"\n")
        yield from (f"{line.decode('utf-8', 'surrogateescape')}\n" for line in lines)
    if rest:
        yield rest.decode("utf-8", "surrogateescape")
