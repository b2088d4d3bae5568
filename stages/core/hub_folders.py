"""The configs and splits of a downloaded dataset whose README.md names none: told by its folders and by the names of its files.

    algebra/test-0.parquet       test/algebra/1.json       data/algebra/test/0.jsonl.gz     -> config algebra, split test

A folder is that of a split where it is named for one, unless files of other splits lie in it: then it is a config. The
config of a file is the innermost of the other folders; where several folders share that name, their whole path. So every file
has one config, and what lies around all of them (`data`) is none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

import yaml

SUFFIXES = {"parquet", "json", "jsonl", "ndjson", "csv", "tsv", "arrow"}  # compressed or not
METADATA = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "config.json"}
SPELLINGS = {"training": "train", "testing": "test", "valid": "validation", "val": "validation", "evaluation": "eval"}
SPLITS = {"train", "test", "validation", "dev", "eval"}
STEM = re.compile(r"([^.]+?)(?:[-_]?\d+(?:-of-\d+(?:-[0-9a-f]+)?)?)?(?:\..*)?")  # without the number of a shard
SHARD = re.compile(r"-\d{5}-of-\d{5}")  # the hub's own: what stands before it is the split
MAX_TOLD = 30


@dataclass(frozen=True)
class PlacedFile:
    path: Path  # within the dataset's folder
    folders: tuple[str, ...]  # around it, without that of its split
    split: str | None  # that a folder or its own name says outright
    words: frozenset[str]  # the splits that are a word in its name, else in its folders': "algebra_test.json"


def has_config(folder: Path) -> bool:
    """Whether the folder's README.md names a config; `datasets` calls the only one of a folder without it `default` too."""
    readme = folder / "README.md"
    head = (
        re.match(r"---\s*\n(.*?)\n---", readme.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
        if readme.is_file()
        else None
    )
    told = yaml.safe_load(head[1]) if head else None
    return isinstance(told, dict) and bool(told.get("configs"))


def placed_files(folder: Path, splits: Iterable[str]) -> list[PlacedFile]:
    """The data files in a folder, sorted by path; hidden ones, metadata and files of other kinds are none.

    `splits` are those that are asked for: their names count beside the usual ones.
    """
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    paths = [path for path in inside if _is_data(path)]
    asked = {_spelt(split) for split in splits}
    groups = {
        path.parts[:depth]
        for path in paths
        for depth, name in enumerate(path.parts[:-1])
        if (own := _stem_split(path, asked)) and _folder_split(name, asked) not in (None, own)
    }
    return [_placed(path, asked, groups) for path in paths]


def _is_data(path: Path) -> bool:
    is_hidden = any(part.startswith((".", "__")) for part in path.parts)
    return not is_hidden and path.name not in METADATA and not SUFFIXES.isdisjoint(path.name.lower().split(".")[1:])


def _placed(path: Path, asked: set[str], groups: set[tuple[str, ...]]) -> PlacedFile:
    """`groups` are the places whose folders are configs, even those that are named as a split."""
    folders = list(path.parts[:-1])
    of_split = [
        depth for depth, name in enumerate(folders) if _folder_split(name, asked) and path.parts[:depth] not in groups
    ]
    split = _stem_split(path, asked)
    if of_split:
        split = split or _folder_split(folders[of_split[-1]], asked)
        del folders[of_split[-1]]
    words = {split} if split else _words(path.name, asked) or _words(" ".join(folders), asked)
    return PlacedFile(path, tuple(folders), split, frozenset(words))


def _stem_split(path: Path, asked: set[str]) -> str | None:
    stem = STEM.fullmatch(path.name)
    return _split_of(path.name.split(".")[0], asked) or _split_of(stem[1], asked) if stem else None


def _folder_split(name: str, asked: set[str]) -> str | None:
    return _split_of(name, asked) or _split_of(re.sub(r"[-_]?\d+$", "", name), asked)


def _split_of(name: str, asked: set[str]) -> str | None:
    spelt = _spelt(name)
    return spelt if spelt in SPLITS | asked else None


def _spelt(split: str) -> str:
    return SPELLINGS.get(split.strip().lower(), split.strip().lower())


def _words(name: str, asked: set[str]) -> set[str]:
    """The splits that are a word of the name; a digit ends a word, as for `datasets`: "test2024"."""
    return {
        split for ends in (r"[\W_]+", r"[\W_\d]+") for word in re.split(ends, name) if (split := _split_of(word, asked))
    }


def chosen_files(files: list[PlacedFile], patterns: tuple[str, ...]) -> dict[str, list[PlacedFile]]:
    """The files of each config that a name or pattern chooses, in the patterns' order; none twice.

    A pattern chooses among the configs; where none fits, and for a name without wildcards, among the folders around them too.
    {} where no pattern fits anything.

    Raises:
        ValueError: some patterns fit nothing.
    """
    configs = configs_of(files)
    around = sorted({name for file in files for name in file.folders})
    chosen: dict[str, list[PlacedFile]] = {}
    strange, taken = [], set[Path]()
    for pattern in patterns:
        fitting = [name for name in configs if fnmatchcase(name if "/" in pattern else name.split("/")[-1], pattern)]
        outer = [name for name in around if name == pattern or (not fitting and fnmatchcase(name, pattern))]
        strange += [] if fitting or outer else [pattern]
        for name in outer or fitting:
            own = [file for file in files if name in file.folders] if outer else configs[name]
            if fresh := [file for file in own if file.path not in taken]:
                chosen.setdefault(name, []).extend(fresh)
                taken.update(file.path for file in fresh)
    if strange and chosen:
        raise ValueError(unknown_configs(strange, configs))
    return chosen


def configs_of(files: list[PlacedFile]) -> dict[str, list[PlacedFile]]:
    """The files by their innermost folder, sorted by name; a file that lies in no folder but a split's is of none."""
    inside = [file for file in files if file.folders]
    places: dict[str, set[tuple[str, ...]]] = {}
    for file in inside:
        places.setdefault(file.folders[-1], set()).add(file.folders)
    configs: dict[str, list[PlacedFile]] = {}
    for file in inside:
        name = file.folders[-1] if len(places[file.folders[-1]]) == 1 else "/".join(file.folders)
        configs.setdefault(name, []).append(file)
    return dict(sorted(configs.items()))


def unknown_configs(strange: Iterable[str], known: Iterable[str]) -> str:
    names = list(known)
    if not names:
        return f"no config is named {', '.join(strange)}: the data set has none. Leave out config to read all of it"
    more = f" and {len(names) - MAX_TOLD:,} more" if len(names) > MAX_TOLD else ""
    return f"no config is named {', '.join(strange)}; there are {', '.join(names[:MAX_TOLD])}{more}"


def files_by_split(config: str, files: list[PlacedFile], splits: Iterable[str]) -> dict[str, list[str]]:
    """The paths of a config's files by split, as patterns for `datasets`; where no path names a split, all are the one asked for.

    Raises:
        ValueError: the config has files of other splits only, or several are asked for and its files name none.
    """
    wanted = list(splits)
    found = {split: _of_split(files, _spelt(split)) for split in wanted}
    lacking = [split for split in wanted if not found[split]]
    there = sorted(set[str]().union(*(file.words for file in files)))
    if lacking and (there or len(wanted) > 1):
        told = f"its files are of {', '.join(there)}" if there else "its files name no split: ask for one"
        raise ValueError(f"config {config} has no file of split {', '.join(lacking)}; {told}")
    return {split: [escape(str(file.path)) for file in found[split] or files] for split in wanted}


def _of_split(files: list[PlacedFile], split: str) -> list[PlacedFile]:
    """Those whose name says this split and no other; else those that say it among others.

    Beside a split's own shards, those of `test_hard-00000-of-00001` are of a split of that name, as for `datasets`.
    """
    is_named = any(file.split == split for file in files)
    return [
        file
        for file in files
        if file.words == {split} and (file.split or not (is_named and SHARD.search(file.path.name)))
    ] or [file for file in files if split in file.words]
