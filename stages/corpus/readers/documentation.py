"""The documentation strings of installed Python packages.

The path is a file that lists them with their exact versions (`sympy==1.14.0`), so that the same file always means the
same texts.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.corpus.readers import package_documents
from stages.corpus.readers.documents import Chunk, Columns, Document, chunked

ROOT = Path(__file__).resolve().parents[3]


def read_documentation(path: Path, columns: Columns) -> Iterator[Chunk]:
    if not path.is_file():
        raise StageError(
            f"{path} is not a file that lists packages (kind documentation). Correct `path` in params.yaml."
        )
    return chunked(_documents(path))


def _documents(path: Path) -> Iterator[Document]:
    for line in path.read_text(encoding="utf-8").split():
        name, _, version = line.partition("==")
        found = importlib.metadata.version(name)
        if found != version:
            raise StageError(
                f"{path} names {name} {version}, but {found} is installed. Run `make setup`, or edit the file."
            )
        yield from _package_documents(name)


def _package_documents(name: str) -> Iterator[Document]:
    """A package's documents, in a process whose hashes and random numbers are always the same."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", package_documents.__name__, name], env=environment, capture_output=True, text=True, check=False,
        encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        raise StageError(f"the package {name} cannot be read: {done.stderr.strip()[-500:]}. Leave it out of the list.")
    for line in done.stdout.split("\n"):
        if line:
            title, text, license_name = json.loads(line)
            yield Document(text, title, f"https://pypi.org/project/{name}/", license_name, title)
