"""The readers of a source, one function a kind: each yields documents {title, url, license, text}.

- `jsonl`: a file of one JSON object a line with `text` and, where known, `title`, `url`, `license`.
- `documentation`: the documentation strings of installed Python packages; the path is a file that lists them with
  their exact versions (`sympy==1.14.0`), so that the same file always means the same texts.
"""

import importlib
import importlib.metadata
import inspect
import json
import pkgutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from stages.core.command import StageError

Document = dict[str, str]
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


class BadRecord(Exception):
    """One record cannot be read; the source goes on without it."""


def read_jsonl(path: Path) -> Iterator[Document | BadRecord]:
    try:
        stream = path.open(encoding="utf-8", errors="strict")
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing. Correct `path` of the source in params.yaml (kind jsonl).") from error
    with stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _jsonl_document(path, number, line)


def _jsonl_document(path: Path, number: int, line: str) -> Document | BadRecord:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        return BadRecord(f"{path}:{number}: not JSON ({error.msg} at character {error.pos})")
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        return BadRecord(f"{path}:{number}: no column 'text' with a string")
    return {key: str(record.get(key) or "") for key in ("title", "url", "license", "text")}


def read_documentation(path: Path) -> Iterator[Document | BadRecord]:
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
                yield {
                    "title": title,
                    "url": f"https://pypi.org/project/{name}/",
                    "license": license_name,
                    "text": text,
                }


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


READERS: dict[str, Callable[[Path], Iterator[Document | BadRecord]]] = {
    "jsonl": read_jsonl,
    "documentation": read_documentation,
}
