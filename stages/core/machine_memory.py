"""The memory of this machine that this process may use: the machine's own, or what its control groups leave of it.

total_bytes()     the whole, the same from run to run
free_bytes()      what is free now, caches that the system may drop included
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
V1_NAMES = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2_NAMES = ("memory.max", "memory.current", "inactive_file")


def total_bytes() -> int:
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _limits())])


def free_bytes() -> int:
    return max(0, min([psutil.virtual_memory().available, *(limit - used for limit, used in _limits())]))


def _limits() -> Iterator[tuple[int, int]]:
    """The limit of each control group that this process is in, and what is used of it, dropped caches aside."""
    for folder in _groups():
        limit_name, used_name, cache_name = V2_NAMES if (folder / V2_NAMES[0]).exists() else V1_NAMES
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is None or used is None:
            continue
        yield limit, max(0, used - _cached(folder / "memory.stat", cache_name))


def _groups() -> Iterator[Path]:
    """The folders of this process's control groups, from each group up to the root."""
    try:
        lines = OWN_GROUP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = GROUPS / "memory" if controllers else GROUPS
        inner = root / path.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder == root or root in folder.parents)


def _number(path: Path) -> int | None:
    """A file's number; None where there is none, as for `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _cached(path: Path, name: str) -> int:
    try:
        counts = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(counts.get(name, 0))
