"""A dataset of the Hugging Face hub, or a local folder in the hub's layout, named by a small YAML file.

    dataset: HuggingFaceTB/finemath      # or a local folder of Parquet or JSON lines
    revision: <the 40 hex digits of a commit>
    config: finemath-4plus               # or several: [algebra, geometry]; or a pattern of their names: "high_school_*"
    split: train                         # or several: train+test
    columns: {text: content}             # only where they differ from the reader's

A local folder may keep its configs as the hub does (a README.md that names them), as folders around or within those of the
splits (hub_folders.py), or as a column `config`. A record of a named config tells it under `config`, if it has no such
column of its own.

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
from stages.core.hub_folders import chosen_files, configs_of, files_by_split, has_config, placed_files, unknown_configs

KEYS = {"dataset", "revision", "config", "split", "columns"}
BATCH_ROWS = 1000
BATCH_BYTES = 1 << 20
DEFAULT = "default"  # the one config of a folder that names none
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
        raise StageError(f"{path} is not a YAML file that names a data set on the hub: {error}") from error
    wanted = f"It needs dataset and split, and revision for a data set on the hub; it may have config and columns ({__name__})."
    if not isinstance(values, dict) or not {"dataset", "split"} <= values.keys() <= KEYS:
        found = sorted(values) if isinstance(values, dict) else type(values).__name__
        raise StageError(f"{path}: found {found}. {wanted}")
    descriptor = _descriptor(values, path)
    is_pinned = re.fullmatch(r"[0-9a-f]{40}", descriptor.revision or "")
    if not Path(descriptor.dataset).is_dir() and not is_pinned:
        raise StageError(
            f"{path}: revision {descriptor.revision!r} of {descriptor.dataset} is not a commit of 40 hex digits, so "
            f"its rows could change unnoticed. Write the commit that the data set's page shows under 'History'."
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
        again = "" if Path(descriptor.dataset).is_dir() else " If the network failed, run this again."
        raise StageError(
            f"{place}: {descriptor.dataset} cannot be read from row {number + 1:,} on: {type(error).__name__}: "
            f"{str(error).rstrip('.')}.{again}"
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

    known = get_dataset_config_names(descriptor.dataset, revision=descriptor.revision)
    folder = Path(descriptor.dataset)
    is_default = any(
        name == DEFAULT or (fnmatchcase(DEFAULT, name) and has_config(folder)) for name in descriptor.configs
    )
    if folder.is_dir() and known == [DEFAULT] and not is_default:
        yield from _parts_of_folder(descriptor)
        return
    for name in chosen_configs(descriptor, known):
        yield _named(_loaded(descriptor, name=name), name)


def _parts_of_folder(descriptor: HubDataset) -> Iterator[Iterable[Record]]:
    """The records of each config of a folder whose README.md names none: by its folders, else by its column `config`."""
    splits = [split.strip() for split in descriptor.split.split("+")]
    files = placed_files(Path(descriptor.dataset), splits)
    chosen = chosen_files(files, descriptor.configs)
    data_files = {name: files_by_split(name, files, splits) for name, files in chosen.items()}
    for name, paths in data_files.items():
        yield _named(_loaded(descriptor, data_files=paths), name)
    if not data_files:
        yield from _of_column(descriptor, list(configs_of(files)))


def chosen_configs(descriptor: HubDataset, known: list[str]) -> list[str]:
    """The dataset's configs that the descriptor names, in its order, each once.

    Raises:
        ValueError: it names one that the dataset does not have.
    """
    found = {pattern: [name for name in known if fnmatchcase(name, pattern)] for pattern in descriptor.configs}
    if strange := [pattern for pattern, names in found.items() if not names]:
        raise ValueError(unknown_configs(strange, known))
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


def _of_column(descriptor: HubDataset, folders: list[str]) -> Iterator[Iterable[Record]]:
    """The records by their column `config`: those of each name or pattern of the descriptor, in its order, none twice.

    `folders` are the configs that were not chosen. Raises:
        ValueError: a name or pattern fits no value.
    """
    try:
        records = _loaded(descriptor)
    except ValueError as error:  # as the split is in the folders alone
        raise ValueError(f"{_in_neither(descriptor.configs, folders)}; the files together: {error}") from error
    known = sorted({_config_of(record) for record in records})
    strange = [pattern for pattern in descriptor.configs if not any(fnmatchcase(name, pattern) for name in known)]
    if strange:
        raise ValueError(_in_neither(strange, [*folders, *filter(None, known)]))
    chosen: set[str] = set()
    for pattern in descriptor.configs:
        names = {name for name in known if fnmatchcase(name, pattern)} - chosen
        chosen |= names
        yield _of_configs(names, _loaded(descriptor))


def _in_neither(strange: Iterable[str], known: list[str]) -> str:
    return f"no folder or value of a column `config` is {', '.join(strange)}: {unknown_configs(strange, known)}"


def _of_configs(names: set[str], records: Iterable[Record]) -> Iterator[Record]:
    return (record for record in records if _config_of(record) in names)


def _config_of(record: Record) -> str:
    """ "" where the column is missing or empty."""
    value = record.get("config")
    return "" if value is None else str(value)
