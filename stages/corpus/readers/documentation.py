"""The documentation strings of installed Python packages.

The path is a file that lists them with their exact versions (`sympy==1.14.0`), so that the same file always means the
same texts.
"""

import importlib
import importlib.metadata
import inspect
import pkgutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from stages.core.command import StageError
from stages.corpus.readers.documents import Chunk, Columns, Document, chunked

MIN_DOCUMENTATION_CHARS = 200
SKIPPED_MODULES = (
    "test",
    "conftest",
    "benchmark",
    "_",
    "setup",
    "this",
    "f2py",
    "distutils",
    "parser",
    "plotting",
    "galgebra",
)


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
    package = importlib.import_module(name)
    license_name = str(importlib.metadata.metadata(name).json.get("license_expression") or "BSD-3-Clause")
    seen: set[str] = set()
    for module in _modules(package):
        for title, text in _docstrings(module, name):
            if len(text) >= MIN_DOCUMENTATION_CHARS and text not in seen:
                seen.add(text)
                yield Document(text, title, f"https://pypi.org/project/{name}/", license_name, title)


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    """The package's public modules in alphabetical order; those that cannot be imported here are passed over."""
    yield package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info in sorted(pkgutil.walk_packages(package.__path__, package.__name__ + ".", lambda _: None), key=_name):
            parts = info.name.split(".")[1:]
            if not any(part.startswith(SKIPPED_MODULES) for part in parts):
                try:
                    yield importlib.import_module(info.name)
                except ImportError:
                    continue


def _name(info: pkgutil.ModuleInfo) -> str:
    return info.name


def _docstrings(module: ModuleType, package: str) -> Iterator[tuple[str, str]]:
    for key, value in sorted(vars(module).items()):
        is_public = not key.startswith("_") and (inspect.isclass(value) or callable(value))
        if is_public and str(getattr(value, "__module__", "")).startswith(package):
            text = inspect.getdoc(value)
            if isinstance(text, str):
                yield f"{package}.{key}", text
