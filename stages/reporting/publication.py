"""A folder that is published: where it lies, whose it is, and how it is written whole.

    place = destination("me/problems", "dataset", push=True, dry_run=False)      # published/datasets/me/problems
    with publication(place.folder, {"kind": "dataset", ...}) as folder:
        (folder / "README.md").write_text(...)

Each has `publication.json`: what made it, and the sha256 of each file. By that a later run knows that it may replace the folder, and
that nobody has edited the card since.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from stages.core.command import StageError
from stages.core.files import json_in, whole, write_json

MANIFEST, CARD = "publication.json", "README.md"
WRITER = "ninechapters publish"
PUBLISHED = Path("published")
Command = TypeVar("Command", bound=Callable[..., None])


class Destination(NamedTuple):
    folder: Path
    hub_id: str  # "" where TO is a folder

    @property
    def loaded_from(self) -> str:
        """What the program on the card loads: the hub's id, or the folder as seen from the project; never a path of this machine."""
        if self.hub_id:
            return self.hub_id
        inside = os.path.relpath(self.folder)
        return f"path/to/{self.folder.resolve().name}" if inside.startswith("..") else Path(inside).as_posix()


def publishing_options(function: Command) -> Command:
    """The options that a dataset and a model share."""
    for option in reversed((
        click.option("--push", is_flag=True, help="Upload the folder to the hub, as TO (owner/name)."),
        click.option("--dry-run", is_flag=True, help="Write the folder and list what --push would upload; needs no network."),
        click.option("--update", is_flag=True, help="With --push: replace the files of an earlier publication."),
        click.option("--private", is_flag=True, help="With --push: make a new repository private."),
    )):  # fmt: skip
        function = option(function)
    return function


def destination(to: str, kind: str, *, push: bool, dry_run: bool) -> Destination:
    """Where to write. With `push` TO is an id of the hub; with `dry_run` it may be one.

    Raises:
        StageError: TO is to be pushed and is no id of the hub.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(to)
        is_id = to.count("/") == 1
    except HFValidationError:
        is_id = False
    if push and not is_id:
        raise StageError(
            f"TO is {to!r}: to push, name a repository of the hub, owner/name. Without --push it is a folder."
        )
    if is_id and (push or dry_run):
        return Destination(PUBLISHED / f"{kind}s" / to, to)
    return Destination(Path(to), "")


def check_free(folder: Path, kind: str) -> None:
    """Whether the folder may be written: it is not there, is empty, or an unchanged publication of the same kind.

    Raises:
        StageError: it is anything else.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StageError(f"{folder} exists and is not a folder. Name another one.")
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if not file.is_dir()}
    if not found:
        return
    manifest = json_in(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("written_by") != f"{WRITER} {kind}":
        raise StageError(
            f"{folder} is not empty, and was not written by `{WRITER} {kind}`. Name another folder, or empty it."
        )
    known = manifest.get("files", {})
    strange = sorted(found.keys() - known.keys() - {MANIFEST})
    if CARD in found and sha256_of(found[CARD]) != known.get(CARD):
        strange.append(CARD)
    if strange:
        raise StageError(
            f"{folder} has files that `{WRITER}` did not write: {', '.join(strange[:5])}. They would be lost: move them "
            "elsewhere, or name another folder."
        )


@contextmanager
def publication(folder: Path, facts: dict[str, Any]) -> Iterator[Path]:
    """The folder in which to write; it takes its place, with its manifest, when the block ends without an error."""
    with whole(folder) as temporary:
        temporary.mkdir()
        yield temporary
        files = sorted(path for path in temporary.rglob("*") if path.is_file())
        hashes = {file.relative_to(temporary).as_posix(): sha256_of(file) for file in files}
        write_json({"written_by": f"{WRITER} {facts['kind']}", **facts, "files": hashes}, temporary / MANIFEST)


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def listed(folder: Path) -> str:
    """What an upload of the folder would send: one line a file, and the sum."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"  {file.relative_to(folder).as_posix()}  {file.stat().st_size:,} bytes" for file in files]
    return "\n".join([*lines, f"  {len(files)} files, {sum(file.stat().st_size for file in files):,} bytes"])
