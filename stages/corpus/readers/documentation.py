"""The documentation strings of installed Python packages.

The path is a file that lists them with their exact versions (`sympy==1.14.0`), so that the same file always means the
same texts.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from stages.core.command import StageError
from stages.core.lines import decoded
from stages.corpus.readers import package_documents
from stages.corpus.readers.documents import Chunk, Columns, Document, chunked

NAME = re.compile(r"[\w.-]+")
ROOT = Path(__file__).resolve().parents[3]


def read_documentation(path: Path, columns: Columns) -> Iterator[Chunk]:
    if not path.is_file():
        raise StageError(
            f"{path} is not a file that lists packages (kind documentation). Correct `path` in params.yaml."
        )
    return chunked(_documents(path))


def _documents(path: Path) -> Iterator[Document]:
    try:
        lines = decoded(path.read_bytes()).split("\n")
    except UnicodeDecodeError as error:
        raise StageError(f"{path} is not a text file that lists packages (kind documentation): {error}.") from error
    for number, line in enumerate(lines, 1):
        if line.partition("#")[0].strip():
            yield from _package_documents(_package_of(line.partition("#")[0].strip(), f"{path}:{number}"))


def _package_of(line: str, place: str) -> str:
    """The package that a line names.

    Raises:
        StageError: the line is no `package==version`, or another version is installed, or none.
    """
    name, equals, version = (word.strip() for word in line.partition("=="))
    if not equals or not NAME.fullmatch(name):
        raise StageError(f"{place}: {line[:80]!r} is not a package with its version. Write it as `sympy==1.14.0`.")
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = "no version of it"
    if found != version:
        raise StageError(
            f"{place} names {name} {version}, but {found} is installed. Install that version, or edit the file."
        )
    return name


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
