"""Published corpora by name: where their files keep text, title, url and license.

| kind | files | columns | license of the whole |
|---|---|---|---|
| automathtext | `data/{web,arxiv}/0.95-1.00.jsonl` or `.../0.95-1.00/*.jsonl` (arXiv 2402.07625) | url, title, abstract, text, meta | CC-BY-SA-4.0 |
| finemath | `finemath-4plus/*.parquet` (arXiv 2502.02737) | url, text, metadata, score, language, ... | ODC-By-1.0 |
| mathpile | `*/*.jsonl.gz` (arXiv 2312.17120) | text, SubSet, meta | CC-BY-NC-SA-4.0 |

MathPile's Stack Exchange files hold questions and answers instead of a text: read the dumps themselves (kind
stackexchange); here each of their rows is rejected. A license that a record states stands before that of the whole.

AutoMathText's files are parted by the score that a language model gave their texts; the release takes web from 0.20 and arxiv
from 0.60 on (`min_score`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from stages.core.command import StageError, say
from stages.corpus.readers.documents import Chunk, Columns, chunked
from stages.corpus.readers.json_lines import SUFFIXES, read_files, read_json_lines
from stages.corpus.readers.parquet import read_parquet
from stages.corpus.readers.source_files import found_files

SCORES = re.compile(r"(?<![\d.])([01]\.\d+)(?:-to-|-|_)([01]\.\d+)")

AUTOMATHTEXT = Columns(fixed={"license": "CC-BY-SA-4.0"})
FINEMATH = Columns(fixed={"license": "ODC-By-1.0"})
MATHPILE = Columns(
    title="title|meta.title|meta.book_name|meta.entry_title", url="url|meta.url", fixed={"license": "CC-BY-NC-SA-4.0"}
)


def read_automathtext(path: Path, columns: Columns, min_score: float = 0.0) -> Iterator[Chunk]:
    """The files whose scores begin at `min_score` or above.

    Raises:
        StageError: a file's path has no range of scores, one holds scores on both sides of `min_score`, or none is left.
    """
    if not min_score:
        yield from read_json_lines(path, AUTOMATHTEXT)
        return
    files, strays = found_files(path, SUFFIXES, "automathtext")
    wanted = [file for file in files if _is_wanted(file, min_score)]
    if not wanted:
        raise StageError(
            f"{path} has no file with scores of {min_score:g} or more. Lower min_score, or fetch more of the data set."
        )
    if len(wanted) < len(files):
        say(f"ingest_corpus: {path}: {len(files) - len(wanted)} of {len(files)} files have scores under {min_score:g}")
    yield from read_files(wanted, AUTOMATHTEXT)
    yield from chunked(iter(strays))


def _is_wanted(file: Path, min_score: float) -> bool:
    """Whether a file's scores begin at `min_score` or above: the range stands in its name, or in that of a folder around it."""
    ranges = SCORES.findall(file.as_posix())
    if not ranges:
        raise StageError(f"{file}: its path has no range of scores (0.60-0.65). Remove min_score, or the file.")
    low, high = map(float, ranges[-1])
    if low < min_score < high:
        raise StageError(f"{file} has scores below and above min_score = {min_score:g}. Set it to {low:g} or {high:g}.")
    return low >= min_score


def read_finemath(path: Path, columns: Columns) -> Iterator[Chunk]:
    return read_parquet(path, FINEMATH)


def read_mathpile(path: Path, columns: Columns) -> Iterator[Chunk]:
    return read_json_lines(path, MATHPILE)
