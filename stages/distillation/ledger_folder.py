"""Where the ledger is: one folder for a project, however many worktrees, experiments and temporary folders it has.

    live_folder()  -> .git/nine-chapters/ledger of the project's Git repository; .ledger without Git; LEDGER_DIR before all

`git clean` never reaches into the repository's own folder, all worktrees share it, and DVC's temporary folders
(`dvc exp run --temp`, `--queue`) lie in the project whose it is. The link `.ledger` shows it.
"""

import filecmp
import os
import shutil
from contextlib import suppress
from pathlib import Path

from stages.core.command import StageError, say
from stages.core.files import whole
from stages.distillation.ledger_lock import hold

LINK = Path(".ledger")
IN_GIT = Path("nine-chapters/ledger")
TEMPORARY = (".dvc", "tmp", "exps")  # where DVC makes the folders of its experiments


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
        say(f"moved {len(paths)} segments of the ledger from {old} to {folder}, which `git clean` leaves alone")
    (old / "lock").unlink(missing_ok=True)
    if not any(old.iterdir()):
        old.rmdir()
