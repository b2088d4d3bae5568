"""Where the ledger is: one folder for a project, however many worktrees, experiments and temporary folders it has.

    live_folder()  -> .git/nine-chapters/ledger of the project's Git repository; .ledger without Git; LEDGER_DIR before all
    with hold(live_folder()): ...     # one run at a time buys

`git clean` never reaches into the repository's own folder, all worktrees share it, and DVC's temporary folders
(`dvc exp run --temp`, `--queue`) lie in the project whose it is. The link `.ledger` shows it.
"""

import errno
import fcntl
import filecmp
import json
import math
import os
import platform
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from stages.core.command import StageError, say
from stages.core.files import json_in, whole, write_json
from stages.core.work import WITHOUT_LOCKS

LINK = Path(".ledger")
IN_GIT = Path("nine-chapters/ledger")
TEMPORARY = (".dvc", "tmp", "exps")  # where DVC makes the folders of its experiments
LOOK_SECONDS = 1.0


def live_folder() -> Path:
    """The folder of this project's own segments; LEDGER_DIR names another one."""
    if named := os.environ.get("LEDGER_DIR"):
        return project_folder() / Path(named).expanduser()
    repository = common_repository(project_folder())
    return repository / IN_GIT if repository else LINK


def project_folder() -> Path:
    """The folder of the project: `.`, or that for which DVC has made the temporary folder in which this runs."""
    here = Path.cwd()
    for end in range(len(here.parts) - 2):
        if here.parts[end : end + 3] == TEMPORARY:
            return Path(*here.parts[:end])
    return Path()


def common_repository(folder: Path) -> Path | None:
    """The Git folder that all worktrees of a project share, as `git rev-parse --git-common-dir` names it; None without Git.

    Raises:
        StageError: the repository that a worktree belongs to is gone.
    """
    folder = folder.absolute()
    for parent in (folder, *folder.parents):
        git = parent / ".git"
        if os.path.isfile(git):  # of a worktree, a submodule, or a repository that lies elsewhere
            file, git = git, parent / git.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
            if not os.path.lexists(git / "HEAD"):
                raise StageError(
                    f"{file} names the repository {git}, which is not there, so the ledger cannot be found. If its project was moved, "
                    f"run `git worktree repair {parent}` there; or set LEDGER_DIR to the folder of the ledger."
                )
        if os.path.lexists(git / "HEAD"):
            common = git / "commondir"
            found = (git / common.read_text(encoding="utf-8").strip() if common.is_file() else git).resolve()
            return found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found
    return None


def own_folders() -> list[Path]:
    """The folders with this project's own segments: besides the live one, a `.ledger` that is not brought there yet."""
    has_old = not os.environ.get("LEDGER_DIR") and LINK.is_dir() and not LINK.is_symlink()
    return list(dict.fromkeys([live_folder(), *([LINK] if has_old else [])]))


def adopt_old_folder() -> None:
    """Bring the segments of a real folder `.ledger` into the repository's, and let the link `.ledger` lead there.

    What another process is writing, or what cannot be moved, stays and is read where it lies.
    """
    folder = live_folder()
    if os.environ.get("LEDGER_DIR") or folder == LINK:
        return
    if LINK in own_folders():
        with suppress(StageError, OSError), hold(folder, may_wait=False), hold(LINK, may_wait=False):
            _move_segments(LINK, folder)
    if folder.is_dir() and not os.path.lexists(LINK) and project_folder() == Path():
        with suppress(OSError):  # a file system without links
            LINK.symlink_to(os.path.relpath(folder))


def _move_segments(old: Path, folder: Path) -> None:
    paths = [path for path in sorted(old.glob("*.jsonl")) if path.is_file()]
    for path in paths:
        if not (folder / path.name).exists():
            with whole(folder / path.name) as temporary:
                shutil.copy2(path, temporary)
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
        if filecmp.cmp(path, folder / path.name, shallow=False):
            path.unlink()
    if paths:
        say(f"the ledger is in {folder} now, where `git clean` does not reach: {len(paths)} segments moved from {old}")
    (old / "lock").unlink(missing_ok=True)
    if not any(old.iterdir()):
        old.rmdir()


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
                f"{text}. Wait for it, let LEDGER_WAIT=SECONDS wait for it, or set LEDGER_DIR to another folder."
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
        raise StageError(f"LEDGER_WAIT is {text!r}. Give it a number of seconds, as 600.")
    return seconds


def _taken(folder: Path) -> Any:
    """What gives the folder free again; None where another has it."""
    file = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in WITHOUT_LOCKS:
            return _taken_without_locks(folder / "owner")
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return None
        raise
    file.truncate(0)
    json.dump(_myself(), file)
    file.flush()
    return file.close


def _taken_without_locks(path: Path) -> Any:
    """The same on a file system that has no locks: by a file that only one can make, and whose maker is known."""
    if _is_left_over(record := json_in(path)):
        taken = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            os.rename(path, taken)
            if json_in(taken) != record:  # another was quicker, and this is its own
                os.link(taken, path)
            taken.unlink()
    mine = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        write_json(_myself(), mine)
        os.link(mine, path)
    except FileExistsError:
        return None
    finally:
        mine.unlink(missing_ok=True)
    return path.unlink


def _is_left_over(record: Any) -> bool:
    """Whether the process that made the file has ended; only its own host can tell."""
    if not isinstance(record, dict) or record.get("host") != platform.node():
        return False
    return not psutil.pid_exists(record.get("pid", 0))


def _myself() -> dict[str, Any]:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return {"pid": os.getpid(), "host": platform.node(), "since": since}


def _owner(folder: Path) -> str:
    """Who buys there, and the file that keeps others out where the file system has no locks."""
    path = folder / "owner" if (folder / "owner").exists() else folder / "lock"
    record = json_in(path)
    if not isinstance(record, dict):
        return "it has just begun"
    if_dead = f"; if it is no more, delete {path}" if path.name == "owner" else ""
    return f"process {record.get('pid')} on {record.get('host')}, since {record.get('since')}{if_dead}"
