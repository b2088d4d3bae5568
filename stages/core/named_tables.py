"""A folder that holds one thing for each name of a section of params.yaml: tables of sources, benchmarks, targets.

    write_names(["grade", "secondary"], Path("data/benchmarks"))       # after the tables
    tables_named(Path("data/benchmarks"), ())   -> {"grade": Path("data/benchmarks/grade.parquet"), ...}

The names stand in `names.json`, in the order of params.yaml: what reads all of them asks the folder, and no list is said twice.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from stages.core.command import StageError
from stages.core.files import write_json

NAMES = "names.json"


def write_names(names: Iterable[str], folder: Path) -> None:
    write_json(list(names), folder / NAMES)


def names_in(folder: Path) -> list[str]:
    """The names, in the order of params.yaml.

    Raises:
        StageError: the folder has no names.json.
    """
    path = folder / NAMES
    if not path.is_file():
        raise StageError(
            f"{path} is missing. Run the stage that makes {folder} (`dvc repro`), or pull it (`dvc pull`)."
        )
    return list(json.loads(path.read_text(encoding="utf-8")))


def tables_named(folder: Path, wanted: Iterable[str]) -> dict[str, Path]:
    """The tables of the wanted names, in their order; all of the folder's where none is named.

    Raises:
        StageError: a name that the folder does not have.
    """
    known = names_in(folder)
    chosen = list(wanted) or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise StageError(
            f"{folder} has no {', '.join(unknown)}; it has {', '.join(known)}. Correct the name in params.yaml."
        )
    return {name: folder / f"{name}.parquet" for name in chosen}


def refuse_strays(fingerprints: Path, names: Iterable[str]) -> None:
    """The fingerprints must be those of the names alone: DVC compares the whole folder.

    Raises:
        StageError: one is of a name that params.yaml does not have.
    """
    strays = sorted({path.stem for path in fingerprints.glob("*.json")} - set(names))
    if strays:
        files = " ".join(f"{fingerprints / stray}.json" for stray in strays)
        raise StageError(f"{fingerprints} describes {', '.join(strays)}, which params.yaml does not name: rm {files}")
