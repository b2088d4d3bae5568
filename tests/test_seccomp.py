"""The filter of system calls, step by step, for both architectures."""

import re
import struct
from pathlib import Path

import pytest

from stages.execution import seccomp
from stages.execution.seccomp import ALLOW, ENOSYS, EPERM, ERRNO, KILL, seccomp_filter

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
DENIED, MISSING = ERRNO | EPERM, ERRNO | ENOSYS
NUMBERS = {
    "x86_64": {"prlimit64": 302, "setpriority": 141, "sched_setaffinity": 203, "ioprio_set": 251, "socket": 41, "mmap": 9, "clone": 56,
               "fcntl": 72, "ioctl": 16, "prctl": 157, "read": 0, "ptrace": 101, "memfd_create": 319, "inotify_init1": 294, "kill": 62,
               "flock": 73, "madvise": 28, "mbind": 237},
    "aarch64": {"prlimit64": 261, "setpriority": 140, "sched_setaffinity": 122, "ioprio_set": 30, "socket": 198, "mmap": 222, "clone": 220,
                "fcntl": 25, "ioctl": 29, "prctl": 167, "read": 63, "ptrace": 117, "memfd_create": 279, "inotify_init1": 26, "kill": 129,
                "flock": 32, "madvise": 233, "mbind": 235},
}  # fmt: skip


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("platform.machine", lambda: request.param)
    return request.param


def verdict(number: int, *arguments: int, audit: int) -> int:
    """What the filter returns for a call: the steps of classic BPF that it is made of, as the kernel takes them."""
    given = struct.pack("=IIQ6Q", number, audit, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    steps = list(struct.iter_unpack("=HBBI", seccomp_filter()))
    place = loaded = 0
    while True:
        code, if_true, if_false, value = steps[place]
        place += 1
        if code == seccomp.RETURN:
            return value
        if code == seccomp.LOAD:
            loaded = int.from_bytes(given[value : value + 4], "little")
            continue
        is_true = {
            seccomp.EQUAL: loaded == value,
            seccomp.AT_LEAST: loaded >= value,
            seccomp.ANY_BIT: bool(loaded & value),
        }[code]
        place += if_true if is_true else if_false


HIGH = 0xDEADBEEF << 32  # the kernel reads the low half of these arguments


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("read", (0,), ALLOW), ("kill", (1, 9), ALLOW), ("ptrace", (16, 1), DENIED), ("memfd_create", (), DENIED), ("inotify_init1", (), DENIED),
        ("prlimit64", (0, 7, 1), ALLOW), ("prlimit64", (HIGH, 7, 1), ALLOW), ("prlimit64", (1, 7, 1), DENIED), ("prlimit64", (HIGH | 1, 7, 1), DENIED),
        ("setpriority", (0, 0, 9), ALLOW), ("setpriority", (0, 1, 9), DENIED), ("setpriority", (2, 0, 9), DENIED), ("setpriority", (1, 0, 9), DENIED),
        ("sched_setaffinity", (0, 8), ALLOW), ("sched_setaffinity", (1, 8), DENIED), ("ioprio_set", (1, 0), ALLOW), ("ioprio_set", (1, 1), DENIED),
        ("ioprio_set", (3, 0), DENIED), ("socket", (1, 1), ALLOW), ("socket", (2, 1), DENIED), ("socket", (10, 1), DENIED), ("socket", (16, 3), DENIED),
        ("mmap", (0, 1, 3, 0x22), ALLOW), ("mmap", (0, 1, 3, 0x21), ALLOW), ("mmap", (0, 1, 3, 0x40022), DENIED), ("clone", (0x11,), ALLOW),
        ("clone", (0x3D0F00,), ALLOW), ("clone", (0x10000011,), DENIED), ("clone", (0x8011,), DENIED), ("fcntl", (1, 3), ALLOW),
        ("fcntl", (1, 1031), DENIED), ("ioctl", (0, 0x5401), ALLOW), ("ioctl", (0, 0x5412), DENIED), ("ioctl", (0, HIGH | 0x5412), DENIED),
        ("prctl", (4, 1), ALLOW), ("prctl", (62, 1), DENIED), ("prlimit64", (5, 7, 0, 1), ALLOW), ("prlimit64", (5, 7, 1 << 32, 1), DENIED),
        ("prlimit64", (5, 7, 0xFFFF, 1), DENIED), ("flock", (3, 1), DENIED), ("flock", (3, 8), DENIED), ("fcntl", (3, 6), DENIED), ("fcntl", (3, 38), DENIED),
        ("fcntl", (3, 5), ALLOW), ("fcntl", (3, 1030), ALLOW), ("madvise", (0, 1, 4), ALLOW), ("madvise", (0, 1, 8), ALLOW), ("madvise", (0, 1, 14), DENIED),
        ("madvise", (0, 1, 21), DENIED), ("madvise", (0, 1, HIGH | 21), DENIED), ("mbind", (0, 1, 2, 0, 0, 0), ALLOW), ("mbind", (0, 1, 2, 0, 0, 2), DENIED),
    ],
)  # fmt: skip
def test_calls_are_judged_by_their_arguments(
    name: str, arguments: tuple[int, ...], expected: int, machine: str
) -> None:
    assert verdict(NUMBERS[machine][name], *arguments, audit=AUDIT[machine]) == expected


def test_what_the_filter_does_not_know_does_not_exist(machine: str) -> None:
    """Calls of newer kernels, clone3, whose flags stand in memory, and another architecture's calls."""
    assert [verdict(number, audit=AUDIT[machine]) for number in (435, 457, 467, 1000)] == [MISSING] * 4
    assert verdict(456, audit=AUDIT[machine]) == ALLOW
    assert verdict(0x40000000 | 9, audit=AUDIT[machine]) == KILL
    assert verdict(9, audit=0x40000003) == KILL


@pytest.mark.parametrize("column", ["x86_64", "aarch64"])
def test_the_numbers_are_the_kernels(column: str) -> None:
    if not HEADERS[column].exists():
        pytest.skip(f"the kernel's header {HEADERS[column]} is not installed")
    words = HEADERS[column].read_text()
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", words)}
    place = list(HEADERS).index(column)
    ours = {**seccomp._DENIED, **{rule.name: rule.numbers for rule in seccomp._RULES}}
    differing = {
        name: numbers[place] for name, numbers in ours.items() if known.get(name, numbers[place]) != numbers[place]
    }
    assert differing == {}


def test_every_jump_lands_inside(machine: str) -> None:
    steps = list(struct.iter_unpack("=HBBI", seccomp_filter()))
    for place, (code, if_true, if_false, _) in enumerate(steps):
        if code & 7 == 5:
            assert place + 1 + max(if_true, if_false) < len(steps)
    assert [step[0] for step in steps[-3:]] == [seccomp.RETURN] * 3
