"""The documentation strings of one installed Python package, as lines of JSON: [title, text, license].

PYTHONHASHSEED=0 python -m stages.corpus.readers.package_documents scipy

A process of its own, because some packages write documentation as they are imported, with examples of random numbers
(scipy's distributions) or with sets in the order of the hashes (scipy's deprecations): here both are the same each time.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import inspect
import json
import os
import pkgutil
import random
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy

MIN_DOCUMENTATION_CHARS = 200
SEED = 1
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


def seed_all() -> None:
    """Let what draws random numbers without a seed draw the same each time."""
    unseeded = numpy.random.default_rng

    @functools.wraps(unseeded)  # its own documentation is one of those that are read
    def seeded(seed: Any = None) -> numpy.random.Generator:
        return unseeded(SEED if seed is None else seed)

    numpy.random.default_rng = seeded  # type: ignore[assignment]
    numpy.random.seed(SEED)
    random.seed(SEED)


def package_documents(name: str) -> Iterator[tuple[str, str, str]]:
    """(title, text, license) of each documentation string that is long enough, once."""
    package = importlib.import_module(module_of(name))
    license_name = str(importlib.metadata.metadata(name).json.get("license_expression") or "BSD-3-Clause")
    seen: set[str] = set()
    for module in _modules(package):
        for title, text in _docstrings(module, package.__name__):
            if len(text) >= MIN_DOCUMENTATION_CHARS and text not in seen:
                seen.add(text)
                yield title, text, license_name


def module_of(name: str) -> str:
    """The module that a package installs, where it is not called as the package is: `sklearn` of `scikit-learn`.

    Of several the first in alphabetical order that is a package.

    Raises:
        ImportError: it installs no module that holds others.
    """
    listed = importlib.metadata.distribution(name).files or ()
    modules = {file.parts[0] for file in listed if file.name == "__init__.py" and len(file.parts) == 2}
    if not modules:
        raise ImportError(f"it installs no Python package (its files: {', '.join(map(str, listed[:3])) or 'none'})")
    return name if name in modules else min(modules)


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    """The package's public modules in alphabetical order; those that cannot be imported here are passed over."""
    yield package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for info in sorted(pkgutil.walk_packages(package.__path__, package.__name__ + ".", lambda _: None), key=_name):
            parts = info.name.split(".")[1:]
            if not any(part.startswith(SKIPPED_MODULES) for part in parts):
                module = None
                with contextlib.suppress(
                    Exception, SystemExit
                ):  # some are scripts, which fail or end as they are imported
                    module = importlib.import_module(info.name)
                if module:
                    yield module


def _name(info: pkgutil.ModuleInfo) -> str:
    return info.name


def _docstrings(module: ModuleType, package: str) -> Iterator[tuple[str, str]]:
    for key, value in sorted(vars(module).items()):
        is_public = not key.startswith("_") and (inspect.isclass(value) or callable(value))
        if is_public and str(getattr(value, "__module__", "")).startswith(package):
            text = inspect.getdoc(value)
            if isinstance(text, str):
                yield f"{package}.{key}", text


if __name__ == "__main__":
    seed_all()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:  # what packages print as they are imported goes elsewhere
        sys.stdout = sys.stderr
        for document in package_documents(sys.argv[1]):
            out.write(json.dumps(document) + "\n")
