"""Runs inside the sandbox, beside zygote.py: what each program inherits, which is the same for all, or the sandbox is replaced.

    before = Inheritance()
    before.changes()  ->  [], or ["RLIMIT_NOFILE", "Umask"]

A fork takes over limits, priority, CPUs, signal masks, umask and memory. The filter of system calls lets no program change them but in
its own processes; they are compared all the same after each one, as a change would make every later result wrong.
"""

import os
import resource
import signal
from typing import Any

LIMITS = {name: getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
STATUS = (
    "Umask", "Uid", "Gid", "Groups", "TracerPid", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt", "CapPrm", "CapEff", "CapBnd",
    "Cpus_allowed", "Mems_allowed",
)  # fmt: skip
MEMORY = "RssAnon"
GROWTH_BYTES = 64 << 20  # of the memory that this process has taken up since


class Inheritance:
    """What this process hands on, at one moment."""

    def __init__(self) -> None:
        self.values = values()
        self.memory_bytes = self.values.pop(MEMORY)

    def changes(self) -> list[str]:
        """Names of what is not as it was."""
        now = values()
        has_grown = now.pop(MEMORY) > self.memory_bytes + GROWTH_BYTES
        if now == self.values and not has_grown:
            return []
        changed = [name for name in now.keys() | self.values if now.get(name) != self.values.get(name)]
        return sorted(changed) + [MEMORY] * has_grown


def values() -> dict[str, Any]:
    """By name: credentials, signals, CPUs, limits, priority, timers, working folder, open files and memory."""
    lines = [
        line.partition(":") for line in _content("/proc/self/status").split("\n") if line.startswith((*STATUS, MEMORY))
    ]
    told: dict[str, Any] = {name: value for name, _, value in lines}
    return {
        **told, MEMORY: int(told[MEMORY].split()[0]) << 10,
        **{name: resource.getrlimit(number) for name, number in LIMITS.items()},
        "priority": os.getpriority(os.PRIO_PROCESS, 0), "oom_score_adj": _content("/proc/self/oom_score_adj"),
        "scheduler": (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority),
        "timers": [signal.getitimer(timer) for timer in TIMERS], "folder": os.getcwd(),
        "open_files": len(os.listdir("/proc/self/fd")),
    }  # fmt: skip


def _content(path: str) -> str:
    """A short file of /proc, without the buffers of `open`, which cost more than all the rest here."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16).decode()
    finally:
        os.close(descriptor)
