"""Work folders: where a long stage keeps what it has done, because DVC deletes outs before each run.

    work = work_folder("pretrain-small", inputs=[Path("data/x.parquet")], options={"seed": 1}, code=rooms("training", "models"))

The folder `.work/<stage>-<hash8>` is named by the options and the inputs' contents. The hash of the code is kept in
its `run.json`: when the code or the options have changed since, the stage stops and spells out the choice.

A stage has one owner (`own`): a process that lives on after its `dvc repro` was killed is not joined by a second one.
"""

import errno
import fcntl
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from stages.core.command import StageError, say
from stages.core.files import json_in, remove, write_json
from stages.core.hashes import file_hash
from stages.core.interruption import note_kept

WORK = Path(".work")
RECORD = "run.json"
WORTH_SECONDS = 60  # of work with other options: less is left without a word
OWNERS = WORK / "owners"
WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # a file system that has none

_owned: dict[tuple[int, Path], TextIO] = {}  # by process, as a forked one owns nothing


def rooms(*names: str) -> list[Path]:
    """The folders of the project's rooms whose code makes the work of a stage."""
    return [Path(__file__).parent.parent / name for name in names]


def work_folder(stage: str, inputs: Iterable[Path], options: dict[str, object], code: Iterable[str | Path]) -> Path:
    """The work folder of this stage with these inputs and options, made if it is not there.

    `code` are files or folders of Python files whose change may change the work. `RESUME` chooses where a choice is needed: 1
    goes on from work of other code, 0 starts anew.

    Raises:
        StageError: another process runs the stage; or there is unfinished work of other code, or of the same inputs with other
            options, and `RESUME` is not set.
    """
    own(stage)
    choice = os.environ.get("RESUME", "")
    input_hashes = [file_hash(path) for path in inputs]
    identity = json.dumps([options, input_hashes], sort_keys=True, default=str)
    folder = WORK / f"{stage}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    code_hash = hashlib.sha256("".join(file_hash(Path(path), "*.py") for path in code).encode()).hexdigest()
    record = {"stage": stage, "code": code_hash, "options": options, "inputs": input_hashes}
    if _has_work(folder) and not _record(folder):
        say(f"{stage}: {folder / RECORD} is damaged: the work starts again")
        _delete(folder)
    if _has_work(folder):
        if _record(folder)["code"] != code_hash and choice not in ("0", "1"):
            raise StageError(
                f"{folder} holds unfinished work of {stage} that other code made. Set RESUME=1 to "
                f"continue it, or RESUME=0 to start again."
            )
        if choice == "0":
            _delete(folder)
    elif choice != "0":
        _refuse_other_options(folder, record)
    if _record(folder).get("code") != code_hash:
        write_json(record, folder / RECORD)
    note_kept(f"what is finished is kept in {folder}")
    return folder


def _refuse_other_options(folder: Path, record: dict[str, Any]) -> None:
    now = json.loads(json.dumps(record["options"], default=str))
    for other in sorted(WORK.glob(f"{record['stage']}-????????")):
        before = _record(other) if _has_work(other) and _seconds_of(other) > WORTH_SECONDS else {}
        if before.get("stage") != record["stage"] or before.get("inputs") != record["inputs"]:
            continue
        changed = [
            f"{name} was {before['options'].get(name)!r}, is {now.get(name)!r}"
            for name in sorted(before["options"].keys() | now.keys())
            if before["options"].get(name) != now.get(name)
        ]
        raise StageError(
            f"{other} holds unfinished work of {record['stage']} with other options ({'; '.join(changed)}). Restore "
            f"them to continue it; set RESUME=0 to leave it there and start again; or delete it."
        )


def _record(folder: Path) -> dict[str, Any]:
    """What run.json says; nothing where it is damaged."""
    found = json_in(folder / RECORD)
    return found if isinstance(found, dict) and {"code", "stage", "options", "inputs"} <= found.keys() else {}


def _seconds_of(folder: Path) -> float:
    """From the folder's first file to its last."""
    last = max(path.stat().st_mtime for path in folder.rglob("*"))
    return last - (folder / RECORD).stat().st_mtime


def _has_work(folder: Path) -> bool:
    return (folder / RECORD).exists() and any(path.name != RECORD for path in folder.iterdir())


def finish_work(folder: Path) -> None:
    """Delete a work folder once its stage's out is written, and let other processes run the stage."""
    _delete(folder)
    note_kept("")
    owned = _owned.pop(_owner_key(folder.name.rpartition("-")[0]), None)
    if owned:
        owned.close()


def _delete(folder: Path) -> None:
    """Delete a work folder as one: a stage that is killed meanwhile leaves no half of it, which the next run would go on from."""
    away = folder.with_name(f".{folder.name}.deleted")
    remove(away)  # of a stage that was killed here before
    with suppress(FileNotFoundError):
        folder.rename(away)
    remove(away)


def own(stage: str) -> None:
    """Let no other process run this stage in this project, until this one ends or has finished the work.

    The kernel drops the lock with its process, whatever ends it. It is a POSIX lock, not flock's: no forked worker that
    outlives its parent holds it, and NFS keeps it between hosts. It is the stage's and not its folder's, as work with other
    options writes the same outs.

    Raises:
        StageError: another process runs it; the message names it.
    """
    key = _owner_key(stage)
    if key in _owned:
        return  # and to open the file once more, and close it, would drop the lock
    key[1].parent.mkdir(parents=True, exist_ok=True)
    file = key[1].open("a+", encoding="utf-8")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise StageError(_owner_text(stage, file)) from None
        if error.errno not in WITHOUT_LOCKS:
            raise
        say(f"{stage}: {key[1]} cannot be locked ({error.strerror}): do not run this stage twice at once")
    file.truncate(0)
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    json.dump({"pid": os.getpid(), "host": platform.node(), "since": since}, file)
    file.flush()
    _owned[key] = file


def _owner_key(stage: str) -> tuple[int, Path]:
    return os.getpid(), (OWNERS / f"{stage}.json").resolve()


def _owner_text(stage: str, file: TextIO) -> str:
    with file:
        record = json_in(Path(file.name)) or {}  # empty where the owner has only just begun
    pid = record.get("pid", "PID")
    return (
        f"process {pid} on {record.get('host', 'another host')} runs {stage} since {record.get('since', 'just now')}; "
        f"it may have outlived a killed `dvc repro`. Wait for it, or end it there (`kill {pid}`), "
        f"and run this again: what it finishes is kept."
    )
