"""The system calls that a program in the sandbox may not make, as a filter for `bwrap --seccomp`.

What a computation needs is allowed. Refused with EPERM is what reaches around namespaces, into other processes, or past the cleaning
between two programs: tracing, mounting, keys, BPF, io_uring, clocks, memory that no limit counts (System V, memfd), counters that a
user's processes share on the machine (inotify, asynchronous I/O), locks on files and the place of their pages in memory (the files that
can be read are the machine's, for which others wait), and every socket but Unix ones, as there is no network. A call that changes a
process's limits, priority, scheduler or CPUs is allowed for the caller itself alone, by the number 0; its limits may be read by its
number. Calls that are newer than LAST do not exist (ENOSYS): what they would allow is not known here. See seccomp(2); the numbers are
the kernel's, for each architecture, and an older kernel that lacks one of the calls refuses it by itself.
"""

import platform
import struct
from dataclasses import dataclass

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
X32 = 0x40000000
LAST = 456  # futex_requeue, of Linux 6.7; from 424 on all architectures have the same numbers
CLONE3 = 435

# CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET, TIME, and CLONE_PARENT: a child of another process
_CLONE_FLAGS = 0x7E020080 | 0x00008000
_MAP_HUGETLB = 0x00040000  # pages of a pool that the whole machine shares
_AF_UNIX, _PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 1, 0, 1
_PR_SCHED_CORE = 62
# F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ (all pipes of a user count together),
# F_SET_RW_HINT, F_SET_FILE_RW_HINT
_FCNTL = (6, 7, 37, 38, 1024, 1026, 1031, 1036, 1038)
# TIOCSTI, TIOCLINUX, FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_ADD_ENCRYPTION_KEY, FS_IOC_REMOVE_ENCRYPTION_KEY
_IOCTL = (0x5412, 0x541C, 0x40086602, 0x401C5820, 0xC0506617, 0xC0406618)
# MADV_MERGEABLE, MADV_HUGEPAGE (of which a fault takes many: processes.py), MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE, MADV_HWPOISON,
# MADV_SOFT_OFFLINE
_MADVISE = (12, 14, 20, 21, 25, 100, 101)
_MPOL_MF_MOVE = 2 | 4  # and MPOL_MF_MOVE_ALL

# name: its number on x86_64 and on aarch64, None where there is no such call
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_getfd": (438, 438),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "sync": (162, 81), "syncfs": (306, 267), "fadvise64": (221, 223), "readahead": (187, 213), "flock": (73, 32),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_setup": (206, 0),
    "userfaultfd": (323, 282), "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "syslog": (103, 116), "personality": (135, 92), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "lookup_dcookie": (212, 18), "uselib": (134, None), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "landlock_create_ruleset": (444, 444),
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """A call that is judged by an argument's low 32 bits: one of `allowed` is needed, or one of `denied` or of `denied_bits` refuses.

    A call in which both halves of the argument `unless_null` are 0 is not judged.
    """

    name: str
    numbers: tuple[int, int]
    argument: int
    allowed: int | None = None
    denied: tuple[int, ...] = ()
    denied_bits: int = 0
    unless_null: int | None = None


_RULES = (
    Rule("clone", (56, 220), 0, denied_bits=_CLONE_FLAGS),
    Rule("mmap", (9, 222), 3, denied_bits=_MAP_HUGETLB),
    Rule("fcntl", (72, 25), 1, denied=_FCNTL),
    Rule("ioctl", (16, 29), 1, denied=_IOCTL),
    Rule("prctl", (157, 167), 0, denied=(_PR_SCHED_CORE,)),
    Rule("socket", (41, 198), 0, allowed=_AF_UNIX),
    Rule("madvise", (28, 233), 2, denied=_MADVISE),
    Rule("mbind", (237, 235), 5, denied_bits=_MPOL_MF_MOVE),
    Rule("prlimit64", (302, 261), 0, allowed=0, unless_null=2),  # the new limit: without one it is read
    Rule("setpriority", (141, 140), 0, allowed=_PRIO_PROCESS),
    Rule("setpriority", (141, 140), 1, allowed=0),
    Rule("ioprio_set", (251, 30), 0, allowed=_IOPRIO_WHO_PROCESS),
    Rule("ioprio_set", (251, 30), 1, allowed=0),
    Rule("sched_setaffinity", (203, 122), 0, allowed=0),
    Rule("sched_setscheduler", (144, 119), 0, allowed=0),
    Rule("sched_setparam", (142, 118), 0, allowed=0),
    Rule("sched_setattr", (314, 274), 0, allowed=0),
)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the numbers, audit number

Step = tuple[int, int | str, int | str, int]  # jumps count instructions ahead, or name an end


def seccomp_filter() -> bytes:
    """The filter of this machine's architecture, as struct sock_filter[]; raises KeyError for one that is not known."""
    column, audit = _ARCHITECTURES[platform.machine()]
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET), (EQUAL, 0, "kill", audit),
        (LOAD, 0, 0, NUMBER_OFFSET), (AT_LEAST, "kill", 0, X32), (AT_LEAST, "missing", 0, LAST + 1),
        (EQUAL, "missing", 0, CLONE3),  # the C library falls back to clone, whose flags can be read
    ]  # fmt: skip
    for rule in _RULES:
        steps += _steps_of(rule, rule.numbers[column])
    steps += [(EQUAL, "deny", 0, number) for numbers in _DENIED.values() if (number := numbers[column]) is not None]
    return _assembled([*steps, (RETURN, 0, 0, ALLOW)])


def _steps_of(rule: Rule, number: int) -> list[Step]:
    """Refuse what the rule refuses, and leave the call's number loaded for the steps that follow."""
    tests: list[Step] = [(EQUAL, "deny", 0, value) for value in rule.denied]
    if rule.denied_bits:
        tests.append((ANY_BIT, "deny", 0, rule.denied_bits))
    if rule.allowed is not None:
        tests.append((EQUAL, 0, "deny", rule.allowed))
    tests.insert(0, (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * rule.argument))
    if rule.unless_null is not None:
        low = ARGUMENTS_OFFSET + 8 * rule.unless_null
        tests[:0] = [(LOAD, 0, 0, low), (EQUAL, 0, 2, 0), (LOAD, 0, 0, low + 4), (EQUAL, len(tests), 0, 0)]
    inner = [*tests, (LOAD, 0, 0, NUMBER_OFFSET)]
    return [(EQUAL, 0, len(inner), number), *inner]


def _assembled(steps: list[Step]) -> bytes:
    ends = {"deny": ERRNO | EPERM, "missing": ERRNO | ENOSYS, "kill": KILL}
    places = {name: len(steps) + i for i, name in enumerate(ends)}
    steps = [*steps, *((RETURN, 0, 0, value) for value in ends.values())]

    def jump(target: int | str, here: int) -> int:
        return target if isinstance(target, int) else places[target] - here - 1

    return b"".join(
        struct.pack("=HBBI", code, jump(a, i), jump(b, i), value) for i, (code, a, b, value) in enumerate(steps)
    )
