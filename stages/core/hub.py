"""A dataset of the Hugging Face hub, or a local folder in the hub's layout, named by a small YAML file.

    dataset: HuggingFaceTB/finemath      # or a local folder of Parquet or JSON lines
    revision: <the 40 hex digits of a commit>
    config: finemath-4plus
    split: train
    columns: {text: content}             # only where they differ from the reader's

The file is what DVC tracks: the pinned revision makes it name the same records for ever, as a checksum would. Records
are streamed; nothing but the part that is read is downloaded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stages.core.command import StageError

KEYS = {"dataset", "revision", "config", "split", "columns"}
BATCH_ROWS = 1000
BATCH_BYTES = 1 << 20


@dataclass(frozen=True)
class HubDataset:
    dataset: str
    split: str
    revision: str | None = None
    config: str | None = None
    columns: dict[str, str] = field(default_factory=dict)


def read_descriptor(path: Path) -> HubDataset:
    """The dataset that a YAML file names.

    Raises:
        StageError: the file is not YAML, has other keys, or names a dataset of the hub without a pinned revision.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        raise StageError(f"{path} is not a YAML file that names a dataset of the hub: {error}") from error
    wanted = f"It needs dataset, split, and for the hub revision; it may have config and columns ({__name__})."
    if not isinstance(values, dict) or not {"dataset", "split"} <= values.keys() <= KEYS:
        found = sorted(values) if isinstance(values, dict) else type(values).__name__
        raise StageError(f"{path}: found {found}. {wanted}")
    descriptor = _descriptor(values, path)
    is_pinned = re.fullmatch(r"[0-9a-f]{40}", descriptor.revision or "")
    if not Path(descriptor.dataset).is_dir() and not is_pinned:
        raise StageError(
            f"{path}: revision {descriptor.revision!r} of {descriptor.dataset} is no commit of 40 hex digits, so its "
            f"records could change unseen. Write the commit that the dataset's page shows under 'History'."
        )
    return descriptor


def _descriptor(values: dict[str, Any], path: Path) -> HubDataset:
    columns = values.get("columns") or {}
    texts = {name: str(value) for name, value in values.items() if name != "columns" and value is not None}
    wrong = [name for name in texts if isinstance(values[name], (dict, list)) or not texts[name]]
    if not isinstance(columns, dict) or not all(isinstance(word, str) for pair in columns.items() for word in pair):
        wrong.append("columns")
    if wrong or not {"dataset", "split"} <= texts.keys():
        raise StageError(
            f"{path}: {', '.join(wrong) or 'dataset or split'} is wrong. Each is a word; columns are {{ours: theirs}}."
        )
    return HubDataset(**texts, columns=columns)  # type: ignore[arg-type]


def hub_batches(descriptor: HubDataset, place: Path) -> Iterator[list[dict[str, Any]]]:
    """The dataset's records in order, at most BATCH_ROWS and about BATCH_BYTES at a time; pictures and sounds stay undecoded.

    `place` is the file that names the dataset, for messages. Raises:
        StageError: the dataset cannot be loaded, or not be read on; a part of one is not taken for the whole.
    """
    from datasets import load_dataset  # seconds of import, for this kind alone
    from datasets.exceptions import DatasetsError
    from httpx2 import HTTPError

    number = 0
    try:
        rows = load_dataset(
            descriptor.dataset, descriptor.config, split=descriptor.split, revision=descriptor.revision, streaming=True
        )
        records: list[dict[str, Any]] = []
        size = 0
        for record in rows.decode(False):
            records.append(record)
            size += sum(len(value) for value in record.values() if isinstance(value, (str, bytes)))
            if len(records) >= BATCH_ROWS or size >= BATCH_BYTES:
                number += len(records)
                yield records
                records, size = [], 0
        if records:
            yield records
    except (ValueError, OSError, RuntimeError, NotImplementedError, DatasetsError, HTTPError) as error:
        raise StageError(
            f"{place}: {descriptor.dataset} cannot be read from row {number + 1:,} on: {type(error).__name__}: {error}. "
            f"Where the network failed, run the stage again."
        ) from error
