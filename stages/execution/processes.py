"""Runs inside the sandbox, beside zygote.py: the processes of a program are found, measured and ended."""

import ctypes
import glob
import itertools
import os
import re
import resource
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from stages.execution.buffers import matches

PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")
_sysinfo = ctypes.CDLL(None).sysinfo
KILL_SECONDS = 5.0  # much memory takes long to free
STAT = re.compile(rb"\) \S ([-0-9 ]+)\n\Z")  # the name, in brackets, may hold whatever its process likes
KILOBYTES = re.compile(rb"^(\w+):\s+(\d+) kB$", re.MULTILINE)
# How /proc/PID/maps names memory that processes share and no file system holds: start, end, offset and inode.
SHARED = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+) +(?:/dev/zero \(deleted\)|/memfd:)", re.MULTILINE
)


def descendants() -> list[int]:
    """All processes whose chain of parents leads here."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            for parent in stat_of(int(name))[1:2]:
                parents[int(name)] = parent
    found: set[int] = set()
    grown = True
    while grown:
        new = {pid for pid, parent in parents.items() if parent == os.getpid() or parent in found} - found
        grown = bool(new)
        found |= new
    return sorted(found)


def cpu_seconds(pids: list[int]) -> float:
    """CPU seconds of processes that are still there, with those of the children that they waited for."""
    return sum(sum(stat_of(pid)[11:15]) for pid in pids) / TICKS


def ended_cpu_seconds() -> float:
    """CPU seconds of all processes that have ended and were waited for here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def faulted_bytes(pids: list[int]) -> int:
    """Bytes of the pages that processes have faulted in, with those that have ended and were waited for here.

    No process can take more memory than that, whoever maps it later: huge pages of shared memory are only given to whoever asks
    (MADV_HUGEPAGE), which the filter of system calls refuses.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return PAGE * (used.ru_minflt + used.ru_majflt + sum(sum(stat_of(pid)[7:11]) for pid in pids))


def stat_of(pid: int) -> list[int]:
    """What /proc/PID/stat tells after the name, with 0 for the state: the parent is at 1; none where the process has ended.

    See proc(5), which counts from the number of the process: the parent is its fourth field, faults are 10 to 13, ticks 14 to 17.
    """
    try:
        return [0, *map(int, matches(f"/proc/{pid}/stat", STAT)[0][0].split())]
    except (OSError, IndexError):
        return []


def has_name(pid: int, name: bytes) -> bool:
    """Whether a process calls itself so; also of one that has ended and was not waited for."""
    return bool(matches(f"/proc/{pid}/stat", re.compile(rb"\A\d+ \(%s\) " % re.escape(name))))


def waited_seconds(pids: list[int]) -> float:
    """Seconds that the threads of processes were ready to run and had no CPU; see run_delay in proc(5), schedstat."""
    nanoseconds = 0
    for path in itertools.chain.from_iterable(glob.iglob(f"/proc/{pid}/task/*/schedstat") for pid in pids):
        try:
            with open(path, "rb") as stream:
                nanoseconds += int(stream.read().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return nanoseconds / 1e9


def num_starved() -> int:
    """Processes of the whole machine that the kernel has ended for want of memory; 0 where it does not tell."""
    try:
        with open("/proc/vmstat", "rb") as stream:
            return int(stream.read().rpartition(b"\noom_kill ")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def exceeds(pids: list[int], limit: int) -> bool:
    """Whether the processes have more than `limit` bytes together, beyond what they share with this one, which they are forks of.

    One process is held by its limit on addresses. Of several, each private page that is there counts once, and each piece of shared
    memory (MAP_SHARED, without a file) counts once and whole. The sum of all addresses, which is quick, is looked at first.
    """
    if len(pids) < 2 or sum(map(mapped, pids)) - mapped(os.getpid()) <= limit:
        return False
    own = shares_of("self")
    private = sum(map(private_bytes, pids)) - own.get("Anonymous", 0) + own.get("Pss_Anon", 0)
    objects = shared_objects(str(pid) for pid in pids)
    return private + sum(objects[name] for name in objects.keys() - shared_objects(["self"]).keys()) > limit


def mapped(pid: int) -> int:
    """Bytes of a process's addresses."""
    try:
        with open(f"/proc/{pid}/statm") as stream:
            return int(stream.read().split()[0]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def private_bytes(pid: int) -> int:
    """Bytes of a process's private pages, of a page that n processes have the n-th part; where the kernel does not tell, all it has."""
    shares = shares_of(str(pid))
    if "Pss_Anon" in shares:
        return shares["Pss_Anon"] + shares.get("SwapPss", 0)
    return sum(kilobytes_in(f"/proc/{pid}/status", ("RssAnon", "RssShmem", "VmSwap")).values()) << 10


def shares_of(pid: str) -> dict[str, int]:
    names = ("Anonymous", "Pss_Anon", "SwapPss")
    return {name: count << 10 for name, count in kilobytes_in(f"/proc/{pid}/smaps_rollup", names).items()}


def kilobytes_in(path: str, names: tuple[str, ...]) -> dict[str, int]:
    """The entries `name: 12 kB` of a file in /proc that have one of the names; none where the file cannot be read."""
    try:
        entries = matches(path, KILOBYTES)
    except OSError:
        return {}
    return {name.decode(): int(value) for name, value in entries if name.decode() in names}


def machine_shared_bytes() -> int:
    """Shared memory of the whole machine, those pages included that no process has mapped any more; see sysinfo(2)."""
    told = (ctypes.c_ulong * 32)()  # uptime, three loads, totalram, freeram, sharedram, ..., mem_unit in the 14th
    _sysinfo(told)
    return int(told[6]) * (told[13] & 0xFFFFFFFF)


def has_shared_memory(pids: list[int]) -> bool:
    """Whether one of the processes maps shared memory that this one does not, or does not let its memory be looked into."""
    return bool(shared_objects(str(pid) for pid in pids).keys() - shared_objects(["self"]).keys())


def shared_objects(pids: Iterable[str]) -> dict[bytes, int]:
    """The pieces of shared memory that processes map, by their inodes, with the largest size that one of them sees."""
    sizes: dict[bytes, int] = {}
    for pid in pids:
        for inode, size in _shared_maps(pid):
            sizes[inode] = max(size, sizes.get(inode, 0))
    return sizes


def _shared_maps(pid: str) -> list[tuple[bytes, int]]:
    try:
        entries = matches(f"/proc/{pid}/maps", SHARED)
    except PermissionError:  # PR_SET_DUMPABLE: what it has there counts as private
        return [(f"of {pid}".encode(), 0)]
    except OSError:
        return []
    return [(inode, int(offset, 16) + int(end, 16) - int(start, 16)) for start, end, offset, inode in entries]


def kill_all(spared: int = 0) -> bool:
    """End every process that the program started; False if one is still there. `spared`: ended, but not yet waited for."""
    until = time.monotonic() + KILL_SECONDS
    while time.monotonic() < until:
        _kill_once()
        if _is_reaped(spared):
            return True
        time.sleep(0.005)
    return False


def _kill_once() -> None:
    """Send SIGKILL to all; -1 means everything in the namespace but this process, at once."""
    for pid in [-1] if os.getpid() == 1 else descendants():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_reaped(spared: int) -> bool:
    """Wait for those that have ended; whether none is left but the spared one."""
    with suppress(ChildProcessError):
        if not spared:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            return False
    others = [pid for pid in descendants() if pid != spared] if spared else []
    for pid in others:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return not others
