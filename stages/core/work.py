"""Work folders: where a long stage keeps what it has done, because DVC deletes outs before each run.

    work = work_folder("pretrain-small", inputs=[Path("data/x.parquet")], options={"seed": 1}, code=[__file__])

The folder `.work/<stage>-<hash8>` is named by the options and the inputs' contents. The hash of the code is kept in
its `run.json`: when the code or the options have changed since, the stage stops and spells out the choice.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.tables import write_json

WORK = Path(".work")
RECORD = "run.json"
WORTH_SECONDS = 60  # of work with other options: less is left without a word


def file_hash(path: Path, pattern: str = "*") -> str:
    """sha256 of a file, or of a folder's files with their names (those that match the pattern)."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob(pattern) if p.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(file.relative_to(path.parent).as_posix().encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def work_folder(stage: str, inputs: Iterable[Path], options: dict[str, object], code: Iterable[str | Path]) -> Path:
    """The work folder of this stage with these inputs and options, made if it is not there.

    `code` are files or folders of Python files whose change may change the work. `RESUME` chooses where a choice is needed: 1
    goes on from work of other code, 0 starts anew.

    Raises:
        StageError: there is unfinished work of other code, or of the same inputs with other options, and `RESUME` is not set.
    """
    choice = os.environ.get("RESUME", "")
    input_hashes = [file_hash(path) for path in inputs]
    identity = json.dumps([options, input_hashes], sort_keys=True, default=str)
    folder = WORK / f"{stage}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    code_hash = hashlib.sha256("".join(file_hash(Path(path), "*.py") for path in code).encode()).hexdigest()
    record = {"stage": stage, "code": code_hash, "options": options, "inputs": input_hashes}
    if _has_work(folder):
        if _record(folder)["code"] != code_hash and choice not in ("0", "1"):
            raise StageError(
                f"{folder} holds unfinished work of {stage} that was made by other code. Set RESUME=1 to go on from it, or "
                f"RESUME=0 to start anew."
            )
        if choice == "0":
            shutil.rmtree(folder)
    elif choice != "0":
        _refuse_other_options(folder, record)
    if not (folder / RECORD).exists() or _record(folder)["code"] != code_hash:
        write_json(record, folder / RECORD)
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
            f"{other} holds unfinished work of {record['stage']} with other options ({'; '.join(changed)}). Put them back to "
            f"go on from it; set RESUME=0 to leave it there and start anew; or delete it."
        )


def _record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / RECORD).read_text(encoding="utf-8"))


def _seconds_of(folder: Path) -> float:
    """From the folder's first file to its last."""
    last = max(path.stat().st_mtime for path in folder.rglob("*"))
    return last - (folder / RECORD).stat().st_mtime


def _has_work(folder: Path) -> bool:
    return (folder / RECORD).exists() and any(path.name != RECORD for path in folder.iterdir())


def finish_work(folder: Path) -> None:
    """Delete a work folder once its stage's out is written."""
    shutil.rmtree(folder, ignore_errors=True)
