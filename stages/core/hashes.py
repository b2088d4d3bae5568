"""The hash of a file or folder by its content: fingerprints, work folders, what a record says it was made of."""

import hashlib
import os
from pathlib import Path


def file_hash(path: Path, pattern: str = "*") -> str:
    """sha256 of a file, or of a folder's files with their names (those that match the pattern)."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob(pattern) if p.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(os.fsencode(file.relative_to(path.parent)))  # a name may hold any byte
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
