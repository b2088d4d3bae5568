"""Published corpora by name: where their files keep text, title, url and license.

| kind | files | columns | license of the whole |
|---|---|---|---|
| automathtext | `data/{web,arxiv}/*.jsonl` (arXiv 2402.07625) | url, title, abstract, text, meta | CC-BY-SA-4.0 |
| finemath | `finemath-4plus/*.parquet` (arXiv 2502.02737) | url, text, metadata, score, language, ... | ODC-By-1.0 |
| mathpile | `*/*.jsonl.gz` (arXiv 2312.17120) | text, SubSet, meta | CC-BY-NC-SA-4.0 |

MathPile's Stack Exchange files hold questions and answers instead of a text: read the dumps themselves (kind
stackexchange); here each of their rows is rejected. A license that a record states stands before that of the whole.
"""

from collections.abc import Iterator
from pathlib import Path

from stages.corpus.readers.documents import Chunk, Columns
from stages.corpus.readers.json_lines import read_json_lines
from stages.corpus.readers.parquet import read_parquet

AUTOMATHTEXT = Columns(fixed={"license": "CC-BY-SA-4.0"})
FINEMATH = Columns(fixed={"license": "ODC-By-1.0"})
MATHPILE = Columns(
    title="title|meta.title|meta.book_name|meta.entry_title", url="url|meta.url", fixed={"license": "CC-BY-NC-SA-4.0"}
)


def read_automathtext(path: Path, columns: Columns) -> Iterator[Chunk]:
    return read_json_lines(path, AUTOMATHTEXT)


def read_finemath(path: Path, columns: Columns) -> Iterator[Chunk]:
    return read_parquet(path, FINEMATH)


def read_mathpile(path: Path, columns: Columns) -> Iterator[Chunk]:
    return read_json_lines(path, MATHPILE)
