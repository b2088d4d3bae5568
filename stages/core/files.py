"""Files and folders, written whole or not at all.

with whole(Path("models/base/tiny")) as temporary:      # beside it, under a name of its own
    model.save_pretrained(temporary)                    # the folder takes its place when the block ends without an error
"""

import csv
import io
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """The place at which to write what `path` shall be: a file, or a folder, which is to be made."""
    temporary = temporary_of(path)
    try:
        yield temporary
        put_in_place(temporary, path)
    finally:
        remove(temporary)


def temporary_of(path: Path) -> Path:
    """A free name beside the path, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    remove(temporary)
    return temporary


def put_in_place(temporary: Path, path: Path) -> None:
    """Let a whole file or folder take its place; what stood there goes."""
    if temporary.is_dir() or path.is_dir():
        remove(path)
    os.replace(temporary, path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(text: str, path: Path) -> None:
    """Write a small text file, whole or not at all."""
    write_bytes(text.encode(), path)


def write_json(value: object, path: Path) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes; NaN and infinity, which JSON lacks, are null."""
    write_text(json.dumps(finite(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n", path)


def json_in(path: Path) -> Any:
    """What a JSON file of a cache holds; None where it is not there, or not whole: the cache is made anew then."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def finite(value: object) -> object:
    """The value with None in the place of NaN and infinities, at any depth: a figure that could not be computed is none.

    >>> finite({"loss": [1.5, float("nan")], "ratio": float("inf")})
    {'loss': [1.5, None], 'ratio': None}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {finite(name): finite(entry) for name, entry in value.items()}
    return [finite(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def write_csv(rows: Iterable[Sequence[object]], path: Path) -> None:
    """Write a small CSV file whose first row is the header."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    write_text(stream.getvalue(), path)


def read_csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows by the header's names; a byte order mark, as spreadsheets write it, is no part of the first."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))
