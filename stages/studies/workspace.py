"""A copy of the project in which the pipeline runs with other parameters, on the project's own DVC cache.

    with workspace(Path("."), "boost-value-1") as folder:
        write_params(changed, folder)
        repro("evaluate@pretrained-llama", folder)

What the changed parameters do not touch comes out of the cache, and so does every stage that another study, or another point of
this one, has run with the same command and inputs: DVC's run-cache knows them. A copy lies under `.work/studies` and stays when
its run is killed; the next one goes on in it.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.files import write_text
from stages.core.interruption import note_kept
from stages.core.work import WORK

COPIES = WORK / "studies"
UNTRACKED = ("inputs",)  # folders that Git ignores and sources, benchmarks or models may lie in
OF_THE_RUNNING_STAGE = ("DVC_ROOT", "DVC_STAGE")
LAST_LINES = 30


@contextmanager
def workspace(root: Path, name: str) -> Iterator[Path]:
    """A copy of the project's tracked files as they are now; it is deleted when the block ends without an error."""
    folder = root / COPIES / name
    note_kept(f"what is finished is kept in DVC's cache and in {folder}")
    copy_project(root, folder)
    yield folder
    shutil.rmtree(folder)
    note_kept("")


def copy_project(root: Path, folder: Path) -> None:
    """Copy what Git tracks; share the cache, the paid answers and what lies under `inputs`."""
    for name in tracked_files(root):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, place)
    settings = [root / ".dvc" / name for name in ("config", "config.local")]
    (folder / ".dvc").mkdir(exist_ok=True)
    for path in filter(Path.exists, settings):
        shutil.copy2(path, folder / ".dvc")
    for name, value in (("core.no_scm", "true"), ("cache.dir", str(cache_of(root)))):
        dvc(["config", "--local", name, value], folder)
    for name in UNTRACKED:
        if (root / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to((root / name).resolve())


def tracked_files(root: Path) -> list[str]:
    """What Git tracks, or would with `git add`, without the studies themselves."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if listed.returncode:
        raise StageError(
            f"a study copies the files that Git tracks, but {root.resolve()} is not a Git repository. Clone the project."
        )
    names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    return [name for name in names if not name.startswith("studies/") and (root / name).is_file()]


def cache_of(root: Path) -> Path:
    return Path(dvc(["cache", "dir"], root).strip().splitlines()[-1]).resolve()


def write_params(params: dict[str, Any], folder: Path) -> None:
    """Write params.yaml with its keys in their order, which is that of the options of a stage's command."""
    import yaml

    write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True), folder / "params.yaml")


def repro(target: str, folder: Path) -> None:
    """Run the pipeline up to a stage, on what dvc.lock says and the cache holds.

    Raises:
        StageError: a stage failed; with the end of what it said.
    """
    # What is there is passed over; what is missing, though cached, would cost a look at the whole of dvc.lock for each stage.
    dvc(["checkout", "--quiet", "--force", "--allow-missing"], folder)
    dvc(["repro", target], folder, echo=True)


def dvc(arguments: list[str], folder: Path, *, echo: bool = False) -> str:
    """DVC's output; with `echo` it is shown line by line as well, on standard error."""
    from stages.distillation.ledger_folder import live_folder  # the paid answers are the project's, not the copy's

    environment = {name: value for name, value in os.environ.items() if name not in OF_THE_RUNNING_STAGE}
    environment["LEDGER_DIR"] = str(live_folder().resolve())
    own = str(Path(sys.executable).parent)  # a stage's command is `python -m stages...`
    if own not in environment["PATH"].split(os.pathsep):
        environment["PATH"] = f"{own}{os.pathsep}{environment['PATH']}"
    command = [sys.executable, "-m", "dvc", *arguments]
    lines = []
    # In a session of its own: what interrupts this stage ends DVC together with the stage that DVC runs.
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )  # fmt: skip
    assert process.stdout
    try:
        for line in process.stdout:
            lines.append(line)
            if echo:
                print(line, end="", file=sys.stderr, flush=True)
        process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if process.returncode:
        raise StageError(f"dvc {' '.join(arguments)} in {folder} failed:\n{''.join(lines[-LAST_LINES:])}")
    return "".join(lines)
