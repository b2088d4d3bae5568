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
BATCH = 1000


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
    descriptor = HubDataset(**values)
    is_pinned = re.fullmatch(r"[0-9a-f]{40}", str(descriptor.revision or ""))
    if not Path(descriptor.dataset).is_dir() and not is_pinned:
        raise StageError(
            f"{path}: revision {descriptor.revision!r} of {descriptor.dataset} is no commit of 40 hex digits, so its "
            f"records could change unseen. Write the commit that the dataset's page shows under 'History'."
        )
    return descriptor


def hub_batches(descriptor: HubDataset, place: Path) -> Iterator[list[dict[str, Any]]]:
    """The dataset's records in order, a thousand at a time; `place` is the file that names it, for messages."""
    try:
        from datasets import load_dataset  # seconds of import, for this kind alone
    except ModuleNotFoundError as error:
        raise StageError(
            f"{place}: the hub is read with the library datasets, which is missing. Run `make hub`."
        ) from error
    try:
        rows = load_dataset(
            descriptor.dataset, descriptor.config, split=descriptor.split, revision=descriptor.revision, streaming=True
        )
    except (ValueError, OSError) as error:
        raise StageError(f"{place}: {descriptor.dataset} cannot be loaded: {error}") from error
    for batch in rows.iter(BATCH):
        names = list(batch)
        yield [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]
