"""Who buys: one run at a time in a folder of the ledger, also where the file system has no locks.

    with hold(live_folder()): ...     # StageError where another run has it

Without locks the owner is the last of `owner.1`, `owner.2`, ...: each number can be taken once, by a hard link, and the last stays when
its owner has left it. So of many that find an owner gone at the same time one comes next, however late another acts on what it read.
"""

import errno
import fcntl
import json
import math
import os
import platform
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from stages.core.command import StageError, say
from stages.core.files import json_in, write_json
from stages.core.work import WITHOUT_LOCKS

LOOK_SECONDS = 1.0
OWNER = re.compile(r"owner\.(\d+)")


@contextmanager
def hold(folder: Path, may_wait: bool = True) -> Iterator[None]:
    """Let one run at a time buy into a folder; a second would buy the same answers again.

    LEDGER_WAIT says for how many seconds to wait for another run; without it, none.

    Raises:
        StageError: another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + (_patience() if may_wait else 0.0)
    is_told = False
    while (release := _taken(folder)) is None:
        text = f"another run is buying into {folder} ({_owner(folder)})"
        if time.monotonic() >= until:
            raise StageError(
                f"{text}. Wait for it, set LEDGER_WAIT=SECONDS to let this run wait, or set LEDGER_DIR to another folder."
            )
        if not is_told:
            say(f"{text}: waiting for it")
            is_told = True
        time.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        release()


def _patience() -> float:
    text = os.environ.get("LEDGER_WAIT") or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise StageError(f"LEDGER_WAIT is {text!r}. Set it to a number of seconds, such as 600.")
    return seconds


def _taken(folder: Path) -> Callable[[], object] | None:
    """What gives the folder free again; None where another has it."""
    file = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in WITHOUT_LOCKS:
            return _taken_without_locks(folder)
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return None
        raise
    file.truncate(0)
    json.dump(_myself(), file)
    file.flush()
    return file.close


def _taken_without_locks(folder: Path) -> Callable[[], object] | None:
    owners = _owners(folder)
    if owners and not _is_over(json_in(owners[-1])):
        return None
    path = folder / f"owner.{_number(owners[-1]) + 1 if owners else 1}"
    mine = folder / f"asking.{secrets.token_hex(4)}"
    try:
        write_json(_myself(), mine)
        os.link(mine, path)
    except FileExistsError:
        return None
    finally:
        mine.unlink(missing_ok=True)
    *older, last = _owners(folder)
    if last != path:  # others came and went since the owners were read
        path.unlink(missing_ok=True)
        return None
    for one in older:
        one.unlink(missing_ok=True)
    return lambda: write_json({}, path)


def _owners(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if OWNER.fullmatch(path.name)), key=_number)


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _is_over(record: Any) -> bool:
    """Whether the owner has left, or its process has ended, which only its own host can tell."""
    if record == {}:
        return True
    if not isinstance(record, dict) or record.get("host") != platform.node():
        return False
    return not psutil.pid_exists(record.get("pid", 0))


def _myself() -> dict[str, Any]:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return {"pid": os.getpid(), "host": platform.node(), "since": since}


def _owner(folder: Path) -> str:
    """Who buys there, and the file that keeps others out where the file system has no locks."""
    path = (_owners(folder) or [folder / "lock"])[-1]
    record = json_in(path)
    if not isinstance(record, dict) or not record:
        return "it has just begun"
    if_dead = "" if path.name == "lock" else f"; if it is no more, delete {path}"
    return f"process {record.get('pid')} on {record.get('host')}, since {record.get('since')}{if_dead}"
