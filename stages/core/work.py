"""Work folders: where a long stage keeps what it has done, because DVC deletes outs before each run.

    work = work_folder("pretrain-small", inputs=[Path("data/x.parquet")], options={"seed": 1}, code=[__file__])

The folder `.work/<stage>-<hash8>` is named by the options and the inputs' contents. The hash of the code is kept in
its `run.json`: when the code has changed since, the stage stops and spells out the choice.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from stages.core.command import StageError
from stages.core.tables import write_json

WORK = Path(".work")


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

    `code` are files or folders of Python files whose change may change the work.

    Raises:
        StageError: the folder was made by other code, and `RESUME=1` is not set.
    """
    identity = json.dumps([options, [file_hash(path) for path in inputs]], sort_keys=True, default=str)
    folder = WORK / f"{stage}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    code_hash = hashlib.sha256("".join(file_hash(Path(path), "*.py") for path in code).encode()).hexdigest()
    run_file = folder / "run.json"
    has_work = folder.is_dir() and any(path != run_file for path in folder.iterdir())
    if has_work and run_file.exists():
        made_by = json.loads(run_file.read_text())["code"]
        if made_by != code_hash and os.environ.get("RESUME") != "1":
            raise StageError(
                f"{folder} holds unfinished work of {stage} that was made by other code. "
                f"Set RESUME=1 to go on from it, or delete the folder to start anew."
            )
    write_json({"stage": stage, "code": code_hash, "options": options}, run_file)
    return folder


def finish_work(folder: Path) -> None:
    """Delete a work folder once its stage's out is written."""
    shutil.rmtree(folder, ignore_errors=True)
