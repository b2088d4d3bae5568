"""A dataset of the Hugging Face hub, or a local folder in the hub's layout, named by a small YAML file.

    dataset: HuggingFaceTB/finemath      # or a local folder of Parquet or JSON lines
    revision: <the 40 hex digits of a commit>
    config: finemath-4plus               # or several: [algebra, geometry]; or a pattern of their names: "high_school_*"
    split: train                         # or several: train+test
    columns: {text: content}             # only where they differ from the reader's

A local folder may keep its configs as the hub does (a README.md that names them), as folders around or within those of the splits, or as
a column `config`. A record
of a named config tells it under `config`, if it has no such column of its own.

The file is what DVC tracks: the pinned revision makes it name the same records for ever, as a checksum would. Records
are streamed; nothing but the part that is read is downloaded.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from stages.core.command import StageError

KEYS = {"dataset", "revision", "config", "split", "columns"}
BATCH_ROWS = 1000
BATCH_BYTES = 1 << 20
DEFAULT = "default"  # the one config of a folder that names none
SPLITS = {"train", "test", "validation", "valid", "dev"}  # as files and folders are named for them
Record = dict[str, Any]


@dataclass(frozen=True)
class HubDataset:
    dataset: str
    split: str
    revision: str | None = None
    configs: tuple[str, ...] = ()  # names or patterns; none: the dataset's own default
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
    columns, configs = values.get("columns") or {}, values.get("config") or ()
    configs = tuple(map(str, configs if isinstance(configs, (list, tuple)) else [configs]))
    texts = {
        name: str(value) for name, value in values.items() if name not in ("columns", "config") and value is not None
    }
    wrong = [name for name in texts if isinstance(values[name], (dict, list)) or not texts[name]]
    wrong += ["config"] * (isinstance(values.get("config"), dict) or "" in configs)
    if not isinstance(columns, dict) or not all(isinstance(word, str) for pair in columns.items() for word in pair):
        wrong.append("columns")
    if wrong or not {"dataset", "split"} <= texts.keys():
        raise StageError(
            f"{path}: {', '.join(wrong) or 'dataset or split'} is wrong. Each is a word; columns are {{ours: theirs}}."
        )
    return HubDataset(**texts, configs=configs, columns=columns)  # type: ignore[arg-type]


def hub_batches(descriptor: HubDataset, place: Path) -> Iterator[list[Record]]:
    """The dataset's records in order, at most BATCH_ROWS and about BATCH_BYTES at a time; pictures and sounds stay undecoded.

    `place` is the file that names the dataset, for messages. Raises:
        StageError: the dataset cannot be loaded, or not be read on; a part of one is not taken for the whole.
    """
    from datasets.exceptions import DatasetsError  # seconds of import, for this kind alone
    from httpx2 import HTTPError

    number = 0
    try:
        for part in _parts(descriptor):
            for records in _batches(part):
                number += len(records)
                yield records
    except (ValueError, OSError, RuntimeError, NotImplementedError, DatasetsError, HTTPError) as error:
        raise StageError(
            f"{place}: {descriptor.dataset} cannot be read from row {number + 1:,} on: {type(error).__name__}: {error}. "
            f"Where the network failed, run the stage again."
        ) from error


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += sum(len(value) for value in record.values() if isinstance(value, (str, bytes)))
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parts(descriptor: HubDataset) -> Iterator[Iterable[Record]]:
    """The records of each config."""
    if not descriptor.configs:
        yield _loaded(descriptor)
        return
    from datasets import get_dataset_config_names

    folder = Path(descriptor.dataset)
    known = get_dataset_config_names(descriptor.dataset, revision=descriptor.revision)
    if folder.is_dir() and known == [DEFAULT] and DEFAULT not in descriptor.configs:
        splits = set(descriptor.split.split("+"))
        known = sorted({inner.name for inner in folder.rglob("*") if inner.is_dir()} - splits)
        if not any(fnmatchcase(name, pattern) for name in known for pattern in descriptor.configs):
            yield _of_column(descriptor)
            return
        for name in chosen_configs(descriptor, known):
            yield _named(_loaded(descriptor, data_files=files_of_config(folder, name, splits)), name)
        return
    for name in chosen_configs(descriptor, known):
        yield _named(_loaded(descriptor, name=name), name)


def files_of_config(folder: Path, name: str, splits: Iterable[str]) -> dict[str, list[str]]:
    """A config's files by split, whichever of the two is the outer folder; a split that no path names has all of them.

    Raises:
        ValueError: the config has files of other splits only.
    """
    inside = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [path for path in inside if name in path.parts[:-1] and not any(part[0] == "." for part in path.parts)]
    words = {path: set(re.split(r"[\W_]+", path.as_posix().replace(name, ""))) for path in files}
    found = {split: [str(path) for path in files if split in words[path]] for split in splits}
    lacking = [split for split, paths in found.items() if not paths]
    if lacking and (not files or any(words[path] & SPLITS for path in files)):
        raise ValueError(f"config {name} has no file of split {', '.join(lacking)}")
    return {split: paths or [str(path) for path in files] for split, paths in found.items()}


def chosen_configs(descriptor: HubDataset, known: list[str]) -> list[str]:
    """The dataset's configs that the descriptor names, in its order, each once.

    Raises:
        ValueError: it names one that the dataset does not have.
    """
    found = {pattern: [name for name in known if fnmatchcase(name, pattern)] for pattern in descriptor.configs}
    strange = [pattern for pattern, names in found.items() if not names]
    if strange:
        raise ValueError(f"no config is named {', '.join(strange)}; there are {', '.join(known)}")
    return list(dict.fromkeys(name for names in found.values() for name in names))


def _loaded(descriptor: HubDataset, **place: Any) -> Iterable[Record]:
    from datasets import load_dataset

    rows = load_dataset(
        descriptor.dataset, split=descriptor.split, revision=descriptor.revision, streaming=True, **place
    )
    found: Iterable[Record] = (
        rows.decode(False) if rows.features else rows
    )  # JSON without known columns has no pictures
    return found


def _named(records: Iterable[Record], config: str) -> Iterator[Record]:
    for record in records:
        yield {"config": config, **record}


def _of_column(descriptor: HubDataset) -> Iterator[Record]:
    """The records whose column `config` is one of the descriptor's.

    Raises:
        ValueError: there is none.
    """
    is_empty = True
    for record in _loaded(descriptor):
        if any(fnmatchcase(str(record.get("config")), pattern) for pattern in descriptor.configs):
            is_empty = False
            yield record
    if is_empty:
        raise ValueError(f"no config, folder or value of a column `config` is {', '.join(descriptor.configs)}")
