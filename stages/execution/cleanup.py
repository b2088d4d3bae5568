"""Runs inside the sandbox, beside zygote.py: what a program started and wrote is found, measured, ended and removed."""

import os
import resource
import signal
import time

PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")


def descendants() -> list[int]:
    """All processes whose chain of parents leads here."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:
                    parents[int(name)] = int(stream.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    found: set[int] = set()
    grown = True
    while grown:
        new = {pid for pid, parent in parents.items() if parent == os.getpid() or parent in found} - found
        grown = bool(new)
        found |= new
    return sorted(found)


def usage() -> tuple[int, float]:
    """Resident bytes, shared pages left out, and CPU seconds of everything that the program started and that is still there."""
    memory, ticks = 0, 0
    for pid in descendants():
        try:
            with open(f"/proc/{pid}/statm") as stream:
                _, resident, shared, *_ = map(int, stream.read().split())
            with open(f"/proc/{pid}/stat", "rb") as binary:
                ticks += sum(map(int, binary.read().rpartition(b")")[2].split()[11:15]))  # with children waited for
        except (OSError, ValueError):
            continue
        memory += (resident - shared) * PAGE
    return memory, ticks / TICKS


def num_files(folders: list[str]) -> int:
    """Files and folders in file systems of the sandbox's own; without a sandbox they are the machine's, and not counted."""
    found = [os.statvfs(folder) for folder in folders] if os.getpid() == 1 else []
    return sum(one.f_files - one.f_ffree for one in found)


def ended_cpu_seconds() -> float:
    """CPU seconds of all processes that have ended and were waited for here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kill_all(spared: int = 0) -> bool:
    """End every process that the program started; False if one is still there. `spared`: ended, but not yet waited for."""
    for _ in range(200):
        if os.getpid() == 1:
            try:
                os.kill(-1, signal.SIGKILL)  # everything in the namespace but this process, at once
            except ProcessLookupError:
                pass
        else:
            for pid in descendants():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if spared:
            others = [pid for pid in descendants() if pid != spared]
            for pid in others:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
            if not others:
                return True
        else:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return True
        time.sleep(0.005)
    return False


def clean(folders: list[str], kept: frozenset[str]) -> bool:
    """Empty the folders that a program can write to; False if something stays."""
    try:
        for folder in folders:
            for entry in os.listdir(folder):
                remove(os.path.join(folder, entry), kept)
    except (OSError, RecursionError):
        return False
    return True


def remove(path: str, kept: frozenset[str]) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
    elif path not in kept or not os.path.ismount(path):
        os.chmod(path, 0o700)
        for entry in os.listdir(path):
            remove(os.path.join(path, entry), kept)
        if path not in kept:
            os.rmdir(path)


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
