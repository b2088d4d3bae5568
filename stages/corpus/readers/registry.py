"""The readers by the `kind` that params.yaml names."""

from collections.abc import Callable, Iterator
from pathlib import Path

from stages.corpus.readers.documentation import read_documentation
from stages.corpus.readers.documents import Chunk, Columns
from stages.corpus.readers.hub import read_hub
from stages.corpus.readers.json_lines import read_json_lines
from stages.corpus.readers.layouts import read_automathtext, read_finemath, read_mathpile
from stages.corpus.readers.parquet import read_parquet
from stages.corpus.readers.stackexchange import read_stackexchange
from stages.corpus.readers.text_folder import read_text_folder
from stages.corpus.sections import Source

READERS: dict[str, Callable[[Path, Columns], Iterator[Chunk]]] = {
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "text": read_text_folder,
    "hub": read_hub,
    "automathtext": read_automathtext,
    "finemath": read_finemath,
    "mathpile": read_mathpile,
    "stackexchange": read_stackexchange,
    "documentation": read_documentation,
}


def read_source(source: Source) -> Iterator[Chunk]:
    """The chunks of a source."""
    columns = Columns.parse(source.column)
    if source.kind == "automathtext":
        return read_automathtext(source.path, columns, source.min_score)
    return READERS[source.kind](source.path, columns)
