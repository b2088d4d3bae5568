"""Small files, written whole or not at all."""

import json
import os
from pathlib import Path


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write a small text file, whole or not at all."""
    write_bytes(text.encode(), path)


def write_json(value: object, path: Path) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", path)
