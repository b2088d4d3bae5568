r"""The rows of somebody's CSV or TSV, one at a time; every cell is text, as it stands.

    separator_of(Path("mine.csv.gz"), b"question,answer\n")  -> ","
    for number, row, fault in csv_rows(Path("mine.csv"), blocks, ","): ...      # (2, {"question": ..., "answer": "007"}, "")

By its bytes a CSV may be any text, so its name tells; semicolons, and tabulators in a .csv, are told by the first line.
"""

import codecs
import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.core.expansion import SUFFIXES
from stages.core.lines import with_line_feeds

SEPARATORS = {"csv": ",;\t", "tsv": "\t"}  # that a file of this name may have; of equally frequent ones the first
JSON_BEGINNINGS = (b"{", b"[{")  # of JSON that is called CSV
MAX_CELL_CHARS = 16 << 20


def separator_of(path: Path, head: bytes) -> str:
    """What separates the cells of a file of this name that begins with `head`; "" where it is neither CSV nor TSV."""
    name = path.name.lower().removesuffix(path.suffix.lower() if path.suffix.lower() in SUFFIXES else "")
    known = SEPARATORS.get(name.rpartition(".")[2], "")
    if not known or head.lstrip().startswith(JSON_BEGINNINGS):
        return ""
    first = head.lstrip().replace(b"\r", b"\n").partition(b"\n")[0].decode("utf-8", "replace")
    return max(known, key=first.count)


def csv_rows(path: Path, blocks: Iterable[bytes], separator: str) -> Iterator[tuple[int, dict[str, str], str]]:
    """Each row under the names of the first one, with the number of its last line, and a fault ("" where there is none).

    A cell that a row lacks is left out. A row of more cells than names has a fault, and none of its cells.

    Raises:
        StageError: it is not UTF-8, a quotation mark is not closed, or two columns have one name.
    """
    csv.field_size_limit(MAX_CELL_CHARS)
    reader, last = csv.reader(_text_lines(blocks), delimiter=separator, strict=True), 0
    try:
        names = [name.strip() for name in next((cells for cells in reader if cells), [])]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise StageError(
                f"{path}: several columns are called {twice[0]!r}. Give each its own name in the first line."
            )
        last = reader.line_num
        for cells in reader:
            if len(cells) > len(names):
                fault = f"{len(cells)} cells under {len(names)} columns: quote what has a {separator!r}"
                yield reader.line_num, {}, fault
            elif cells:
                yield reader.line_num, dict(zip(names, cells, strict=False)), ""
            last = reader.line_num
    except csv.Error as error:
        raise StageError(
            f"{path} cannot be read after line {last:,}: {error}. Mend the quotation marks there."
        ) from error
    except UnicodeDecodeError as error:
        raise StageError(
            f"{path} is not UTF-8 after line {last:,} (convert it, as from Latin-1: iconv -f latin1 -t utf-8)."
        ) from error


def _text_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    decode, rest = codecs.getincrementaldecoder("utf-8")().decode, ""
    for block in with_line_feeds(blocks):
        *lines, rest = (rest + decode(block)).split("\n")
        yield from (f"{line}\n" for line in lines)
    if rest := rest + decode(b"", True):
        yield rest
