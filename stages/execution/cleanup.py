"""Runs inside the sandbox, beside zygote.py: the folders that programs write to, emptied and put back after each."""

import itertools
import os
import stat
from collections.abc import Iterator


class Folders:
    """Folders that a program can write to, as the first program finds them. In a sandbox they are file systems of its own."""

    def __init__(self, paths: list[str]) -> None:
        self.paths, self.kept = paths, mounted_below(paths)
        self.found = {path: os.stat(path) for path in paths}
        self.is_isolated = os.getpid() == 1
        self.num_kept = -1  # files that are left when they have been emptied

    def num_files(self) -> int:
        """Files, links and folders in them; without a sandbox their file systems are the machine's, and not counted."""
        found = [os.statvfs(path) for path in self.paths] if self.is_isolated else []
        return sum(one.f_files - one.f_ffree for one in found)

    def clean(self) -> bool:
        """Empty them, with the modes and times that they had; False if something stays.

        A fork does it where there is something: it reads the names that a program has chosen (see buffers.py).
        """
        try:
            for path, found in self.found.items():
                os.chmod(path, stat.S_IMODE(found.st_mode))
            if not self.is_isolated or self.num_files() != self.num_kept:
                if not self._emptied_in_a_fork():
                    return False
                self.num_kept = self.num_files()
            for path, found in self.found.items():
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        except OSError:
            return False
        return True

    def _emptied_in_a_fork(self) -> bool:
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1] == 0
        try:
            for path in self.paths:
                empty(path, self.kept)
            os._exit(0)
        finally:
            os._exit(1)


def empty(folder: str, kept: frozenset[str]) -> None:
    """Remove what is in a folder; `kept` are mounts and the folders above them."""
    names = (f"{folder}/.{os.urandom(8).hex()}" for _ in itertools.count())
    for entry in _entries(folder):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
        elif entry.path not in kept:
            remove_tree(entry.path, names)
        elif not os.path.ismount(entry.path):
            os.chmod(entry.path, 0o755)
            empty(entry.path, kept)


def remove_tree(path: str, names: Iterator[str]) -> None:
    """Remove a folder, however deep it is: those in it move up, to the next of `names`, until none holds another."""
    os.chmod(path, 0o700)
    pending = [path]
    while pending:
        folder = pending.pop()
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                pending.append(next(names))
                os.rename(entry.path, pending[-1])
            else:
                os.unlink(entry.path)
        os.rmdir(folder)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def mounted_below(folders: list[str]) -> frozenset[str]:
    """Mounts in the folders that are emptied, an interpreter that lives in /tmp among them, and the folders above them."""
    kept = set()
    with open("/proc/self/mountinfo") as stream:
        for line in stream:
            place = line.split()[4].encode().decode("unicode_escape")
            for folder in folders:
                while place.startswith(f"{folder}/"):
                    kept.add(place)
                    place = os.path.dirname(place)
    return frozenset(kept)
