"""A copy of the project in which the pipeline runs with other parameters, on the project's own DVC cache.

    with workspace(Path("."), "boost-value-1", changed) as folder:
        write_params(changed, folder)
        repro("evaluate@pretrained-llama", folder)

What the changed parameters do not touch comes out of the cache, and so does every stage that another study, or another point of
this one, has run with the same command and inputs: DVC's run-cache knows them. A copy lies under `.work/studies` and stays when
its run is killed; the next one goes on in it. What params.yaml names on this disk and Git does not track is linked, not copied.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.files import write_text
from stages.core.interruption import note_kept
from stages.core.work import WORK, own

COPIES = WORK / "studies"
UNTRACKED = Path("inputs")  # a folder that Git ignores, and that a package or a stage may read from, too
WITH_PATHS = ("sources", "benchmarks", "targets", "examples", "models", "local_models")
OF_THE_RUNNING_STAGE = ("DVC_ROOT", "DVC_STAGE")
LAST_LINES = 30
BUSY = (
    "\nAnother DVC command works in this project. Wait until it has ended, and run this again; delete .dvc/tmp/rwlock only where no "
    "process that DVC names is alive."
)
# Reads until whoever holds its standard input has ended, then ends a process group.
WATCH = 'read -r _; kill -s TERM -- "-$0"'


@contextmanager
def workspace(root: Path, name: str, params: dict[str, Any]) -> Iterator[Path]:
    """A copy of the project's tracked files as they are now; it is deleted when the block ends without an error.

    Raises:
        StageError: another process works in this copy; or an input cannot be linked into it.
    """
    own(f"study-{name}")
    folder = root / COPIES / name
    note_kept(f"what is finished is kept in DVC's cache and in {folder}")
    copy_project(root, folder, input_paths(params))
    yield folder
    shutil.rmtree(folder)
    note_kept("")


def input_paths(params: dict[str, Any]) -> list[Path]:
    """What the parameters name on this disk; the path of a model in a package is one within the package."""
    things = [thing for section in WITH_PATHS for thing in params[section].values()]
    return [Path(thing["path"]) for thing in things if "path" in thing and "package" not in thing]


def copy_project(root: Path, folder: Path, inputs: Iterable[Path]) -> None:
    """Bring the copy to what Git tracks now, or would with `git add`; share the cache, the remotes and the inputs."""
    inputs = [UNTRACKED, *inputs]
    folder.mkdir(parents=True, exist_ok=True)
    tracked = listed(root, "--cached")
    linked = [
        path for path in inputs if not path.is_absolute() and not any(name.is_relative_to(path) for name in tracked)
    ]
    others = [name for name in listed(root, "--others") if not any(name.is_relative_to(path) for path in linked)]
    names = {name for name in [*tracked, *others] if name.parts[0] != "studies"}
    for name in set(listed(folder, "--cached", "--others")) - names:
        (folder / name).unlink()  # deleted or renamed in the project since a run in this copy was killed
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)
    for path in linked:
        link(root, folder, path)
    share_settings(root, folder)


def listed(folder: Path, *kinds: str) -> list[Path]:
    """The files in a folder, the project or a copy within it, that the project's Git tracks or would track."""
    command = ["git", "--work-tree=.", "ls-files", "-z", *kinds, "--exclude-standard"]
    found = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    if found.returncode:
        raise StageError(
            f"a study copies the files that Git tracks, but {folder.resolve()} is not a Git repository. Clone the project."
        )
    names = [Path(os.fsdecode(name)) for name in found.stdout.split(b"\0") if name]
    return [name for name in names if (folder / name).is_file()]


def link(root: Path, folder: Path, path: Path) -> None:
    """Let an input be where the copy's params.yaml looks for it: a path that leaves the project leaves the copy, too."""
    target, place = (root / path).resolve(), Path(os.path.normpath(folder.resolve() / path))
    if not target.exists() or place.resolve() == target:
        return
    if place.is_symlink():
        place.unlink()
    if place.exists() or not place.is_relative_to((root / WORK).resolve()):
        raise StageError(
            f"{path} cannot be linked into the copy of the project in which a study runs. Link it into the project, "
            f"`ln -s {target} inputs/{path.name}`, and name that path in params.yaml."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def share_settings(root: Path, folder: Path) -> None:
    """DVC's settings of the project, with its relative paths made absolute; its cache; and no Git."""
    from dvc.config import Config, merge
    from dvc.repo import Repo

    of_project = Config(str(root / ".dvc"))
    with Config(str(folder / ".dvc")).edit("local") as settings:
        for level in ("repo", "local"):
            merge(settings, of_project.load_one(level))
        settings["core"]["no_scm"] = True
        settings["cache"]["dir"] = str(Path(Repo(str(root)).cache.local_cache_dir).resolve())


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
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    # What kills this stage at once (kill -9, no memory) ends them as well.
    watcher = subprocess.Popen(["sh", "-c", WATCH, str(process.pid)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        for line in process.stdout:
            lines.append(line)
            if echo:
                print(line, end="", file=sys.stderr, flush=True)
        process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    finally:
        watcher.kill()
        watcher.communicate()
    if process.returncode:
        told = "".join(lines[-LAST_LINES:])
        raise StageError(f"dvc {' '.join(arguments)} in {folder} failed:\n{told}{BUSY if 'rwlock' in told else ''}")
    return "".join(lines)
