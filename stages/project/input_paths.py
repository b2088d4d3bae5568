"""Paths that params.yaml may name: what a command line can say, what the pipeline does not write, what DVC can read.

    unfit_path("Tom's notes")          ->  "it has an apostrophe ('), which ends a quoted word of a command. Rename it, or link to it ..."
    unwatchable(Path("inputs/mine"))   ->  "inputs/mine/broken.md is a link to nothing (/nonexistent). DVC cannot ..."

DVC reads every file of a folder that a stage depends on, those that no reader would take included.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

WRITTEN = {"data", "models", "reports", ".work", ".dvc", ".git"}
PASSED_OVER = {".git", ".hg", ".dvc"}  # by DVC
CLOSED = "not readable by this user (`chmod -R u+rX`)"
MAX_TOLD = 5
SIGNS = {
    "'": "an apostrophe ('), which ends a quoted word of a command",
    "*": "an asterisk (*), which stands for any characters in a command",
    "?": "a question mark (?), which stands for any character in a command",
    "[": "a bracket ([), which begins a choice of characters in a command",
    "${": "a dollar sign before a brace (${), which begins the name of a parameter in DVC",
}


def unfit_path(text: str) -> str:
    """Why a path is nothing that a stage can read and DVC can watch; empty if it is."""
    root, path = os.getcwd(), os.path.normpath(os.path.join(os.getcwd(), text))
    inside = os.path.relpath(path, root).split(os.sep)[0]
    if reason := _unfit_name(text):
        return reason
    if path == root or root.startswith(path.rstrip(os.sep) + os.sep):
        return "it contains the project itself. Name the file or folder that you mean."
    if inside in WRITTEN:
        return f"the pipeline writes under {inside}/. Put your own files elsewhere, such as inputs/."
    return ""


def _unfit_name(text: str) -> str:
    if re.match(r"\w+:/", text):
        return f"it is an address ({text.partition(':')[0]}:), not a file or folder on this disk. Download it and name the copy."
    if text.startswith("~"):
        return "it begins with ~, which only a shell expands. Write the full path."
    named = [told for sign, told in SIGNS.items() if sign in text]
    named += [
        f"the character {sign!r}, which cannot be printed" for sign in dict.fromkeys(text) if not sign.isprintable()
    ]
    if named:
        return f"it has {'; and '.join(named)}. Rename it, or link to it under another name: `ln -s`."
    return ""


def unwatchable(path: Path) -> str:
    """What DVC cannot read of a file or folder, and what to do; empty if it reads all, or if nothing is there."""
    faults = list(_faults(path))
    if not faults:
        return ""
    more = f", and {len(faults) - MAX_TOLD:,} more" if len(faults) > MAX_TOLD else ""
    return f"{', '.join(faults[:MAX_TOLD])}{more}. DVC must read every file that a stage depends on: delete it, or correct it."


def _faults(path: Path) -> Iterator[str]:
    """Each file that cannot be read, with the reason."""
    if not path.is_dir():
        if path.exists() and (reason := _fault(path)):
            yield f"{path} is {reason}"
        return
    for folder, folders, names in os.walk(path):  # as DVC, not into linked folders
        folders[:] = sorted(set(folders) - PASSED_OVER)
        for name in folders:
            if not os.access(Path(folder, name), os.R_OK | os.X_OK):
                yield f"{Path(folder, name)} is {CLOSED}"
        for name in sorted(names):
            if reason := _fault(Path(folder, name)):
                yield f"{Path(folder, name)} is {reason}"


def _fault(file: Path) -> str:
    try:
        os.fspath(file).encode()
        mode = file.stat().st_mode
    except UnicodeEncodeError:
        return "of a name that is not UTF-8 (rename: `convmv -f latin1 -t utf8 -r --notest`)"
    except OSError as error:
        told = "a link to nothing" if isinstance(error, FileNotFoundError) else f"out of reach, {error.strerror}"
        return f"{told} ({os.readlink(file)})" if file.is_symlink() else told
    if not stat.S_ISREG(mode):
        return "not a regular file (a pipe, a socket, or a device)"
    return "" if os.access(file, os.R_OK) else CLOSED
