"""A dataset of the Hugging Face hub; the path is a YAML file that names it with its revision (stages/core/hub.py)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.hub import hub_batches, read_descriptor
from stages.corpus.readers.documents import Chunk, Columns, Record
from stages.corpus.sections import FIELDS


def read_hub(path: Path, columns: Columns) -> Iterator[Chunk]:
    descriptor = read_descriptor(path)
    unknown = sorted(descriptor.columns.keys() - set(FIELDS))
    if unknown:
        raise StageError(f"{path}: columns names {', '.join(unknown)}; the fields of a source are {', '.join(FIELDS)}.")
    columns = replace(columns, **descriptor.columns)  # type: ignore[arg-type]
    row = 0
    for records in hub_batches(descriptor, path):
        yield Chunk(parse_records, (descriptor.dataset, row, records, columns))
        row += len(records)


def parse_records(dataset: str, first: int, records: list[dict[str, Any]], columns: Columns) -> list[Record]:
    return [columns.document(record, f"{dataset}:{row}") for row, record in enumerate(records, first + 1)]
