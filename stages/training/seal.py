"""The seal of a checkpoint, or of tokens: written last, it says that all files are on the disk, and what each is.

write_seal(folder)
damage(folder)          # "", or "optimizer.pt is missing"

A file is told by its size and the checksum of its two ends: a copy that broke off, a disk that was full, zeros after a power cut.
"""

import os
import zlib
from pathlib import Path
from typing import Any

from stages.core.files import json_in, write_json

NAME = "whole"
END_BYTES = 1 << 16


def write_seal(folder: Path) -> None:
    """Bring all files in the folder to the disk, then say so."""
    files = {path.relative_to(folder).as_posix(): _told(path) for path in _files_in(folder)}
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    for path in [*(folder / name for name in files), *folders, folder]:
        _to_disk(path)
    write_json(files, folder / NAME)
    _to_disk(folder / NAME)
    _to_disk(folder)


def is_sealed(folder: Path) -> bool:
    return (folder / NAME).exists()


def damage(folder: Path) -> str:
    """What is wrong with a sealed folder; empty where it is as it was."""
    files = json_in(folder / NAME)
    if not isinstance(files, dict) or not files:
        return f"its list of files, {NAME}, cannot be read"
    for name, told in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (found := _told(path)) != told:
            sizes = f" ({found[0]:,} bytes, and it had {told[0]:,})" if found[0] != told[0] else ""
            return f"{name} is not what was saved{sizes}"
    return ""


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)


def _to_disk(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(path: Path) -> list[Any]:
    """[size in bytes, CRC-32 of the first and last END_BYTES]."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        ends = file.read(END_BYTES)
        file.seek(max(0, size - END_BYTES))
        return [size, zlib.crc32(ends + file.read(END_BYTES))]
