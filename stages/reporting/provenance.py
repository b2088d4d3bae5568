"""Which commit something was made at, and whether the files here are those that this commit records.

revision_of([Path("data/synthetic"), Path("reports/details.json")])
-> Revision(commit="98f3b00...", is_dirty=False, unrecorded=())
"""

import hashlib
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

LOCK = Path("dvc.lock")


class Revision(NamedTuple):
    commit: str  # "" outside of Git
    is_dirty: bool  # a file that Git knows has changes that are in no commit
    unrecorded: tuple[str, ...]  # paths whose content is not what dvc.lock says

    @property
    def told(self) -> str:
        """One sentence or two for the card."""
        if not self.commit:
            return "Made outside Git: the commit is unknown."
        dirt = "with changes that are in no commit" if self.is_dirty else "without uncommitted changes"
        strange = f" Not as `dvc.lock` records them: {', '.join(self.unrecorded)}." if self.unrecorded else ""
        return f"Commit `{self.commit}`, {dirt}.{strange}"


def revision_of(paths: Iterable[Path]) -> Revision:
    """The commit of the current folder, and which of the paths differ from dvc.lock."""
    commit = git_output("rev-parse", "HEAD").strip()
    is_dirty = bool(commit and git_output("status", "--porcelain", "--untracked-files=no").strip())
    known = _recorded()
    strange = tuple(path.as_posix() for path in paths if known.get(path.as_posix()) != dvc_hash(path))
    return Revision(commit, is_dirty, strange)


def git_output(*words: str) -> str:
    """What `git WORDS` prints here; "" where it fails, as outside of Git."""
    try:
        done = subprocess.run(
            ["git", "-c", "log.showSignature=false", *words], check=False, capture_output=True, text=True
        )
    except FileNotFoundError:  # no Git on this machine
        return ""
    return done.stdout if done.returncode == 0 else ""


def _recorded() -> dict[str, str]:
    """path -> md5 of every output in dvc.lock."""
    lock = yaml.safe_load(LOCK.read_text(encoding="utf-8")) if LOCK.is_file() else None
    stages = (lock or {}).get("stages", {}).values()
    return {out["path"]: out.get("md5", "") for stage in stages for out in stage.get("outs", [])}


def dvc_hash(path: Path) -> str:
    """The md5 by which DVC knows a file, or a folder by its files' hashes and names."""
    if not path.is_dir():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "md5").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    listed = [{"md5": dvc_hash(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    listed.sort(key=lambda entry: tuple(entry["relpath"].split("/")))
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"
