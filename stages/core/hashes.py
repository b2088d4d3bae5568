"""The hash of a file or folder by its content: fingerprints, work folders, what a record says it was made of."""

import hashlib
from pathlib import Path


def file_hash(path: Path, pattern: str = "*") -> str:
    """sha256 of a file, or of a folder's files with their names (those that match the pattern)."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob(pattern) if p.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(file.relative_to(path.parent).as_posix().encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
