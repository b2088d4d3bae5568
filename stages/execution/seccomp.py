"""The system calls that a program in the sandbox may not make, as a filter for `bwrap --seccomp`.

What a computation needs is allowed; what reaches around namespaces, into other processes, or past the cleaning between
two programs is refused with EPERM: tracing, mounting, keys, BPF, io_uring, clocks, System V memory, sockets that no
network namespace holds (vsock, netlink). See seccomp(2); the numbers are the kernel's, for each architecture.
"""

import platform
import struct

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENT_OFFSET = 0, 4, 16
NEW_NAMESPACES = 0x7E020080  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET, TIME
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
X32 = 0x40000000

_DENIED_X86_64 = (
    "ptrace=101 mount=165 umount2=166 pivot_root=155 chroot=161 unshare=272 setns=308 keyctl=250 add_key=248 request_key=249 "
    "bpf=321 perf_event_open=298 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 userfaultfd=323 "
    "process_vm_readv=310 process_vm_writev=311 kcmp=312 open_by_handle_at=304 name_to_handle_at=303 kexec_load=246 "
    "kexec_file_load=320 init_module=175 finit_module=313 delete_module=176 reboot=169 swapon=167 swapoff=168 acct=163 "
    "settimeofday=164 clock_settime=227 adjtimex=159 clock_adjtime=305 syslog=103 quotactl=179 personality=135 "
    "shmget=29 shmat=30 shmctl=31 semget=64 semop=65 semctl=66 msgget=68 msgsnd=69 msgrcv=70 msgctl=71 mq_open=240 "
    "move_mount=429 open_tree=428 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 pidfd_getfd=438 "
    "landlock_create_ruleset=444 memfd_secret=447 iopl=172 ioperm=173 modify_ldt=154"
)
_DENIED_AARCH64 = (
    "ptrace=117 mount=40 umount2=39 pivot_root=41 chroot=51 unshare=97 setns=268 keyctl=219 add_key=217 request_key=218 "
    "bpf=280 perf_event_open=241 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 userfaultfd=282 "
    "process_vm_readv=270 process_vm_writev=271 kcmp=272 open_by_handle_at=265 name_to_handle_at=264 kexec_load=104 "
    "kexec_file_load=294 init_module=105 finit_module=273 delete_module=106 reboot=142 swapon=224 swapoff=225 acct=89 "
    "settimeofday=170 clock_settime=112 adjtimex=171 clock_adjtime=266 syslog=116 quotactl=60 personality=92 "
    "shmget=194 shmctl=195 shmat=196 semget=190 semctl=191 semop=193 msgget=186 msgctl=187 msgrcv=188 msgsnd=189 mq_open=180 "
    "move_mount=429 open_tree=428 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 pidfd_getfd=438 "
    "landlock_create_ruleset=444 memfd_secret=447"
)
# architecture: its audit number, the denied calls, clone, clone3, socket
_ARCHITECTURES = {
    "x86_64": (0xC000003E, _DENIED_X86_64, 56, 435, 41),
    "aarch64": (0xC00000B7, _DENIED_AARCH64, 220, 435, 198),
}


def seccomp_filter() -> bytes:
    """The filter of this machine's architecture; raises KeyError for one that is not known."""
    audit, denied, clone, clone3, socket = _ARCHITECTURES[platform.machine()]
    numbers = [int(entry.partition("=")[2]) for entry in denied.split()]
    # Jumps count instructions ahead; "deny", "missing" and "kill" are resolved when the length is known.
    steps: list[tuple[int, int | str, int | str, int]] = [
        (LOAD, 0, 0, ARCHITECTURE_OFFSET), (EQUAL, 0, "kill", audit),
        (LOAD, 0, 0, NUMBER_OFFSET), (AT_LEAST, "kill", 0, X32),
    ]  # fmt: skip
    steps += [(EQUAL, "deny", 0, number) for number in numbers]
    steps += [
        (EQUAL, "missing", 0, clone3),  # the C library falls back to clone, whose flags can be read
        (EQUAL, 0, 3, clone), (LOAD, 0, 0, ARGUMENT_OFFSET), (ANY_BIT, "deny", 0, NEW_NAMESPACES), (LOAD, 0, 0, NUMBER_OFFSET),
        (EQUAL, 0, 4, socket), (LOAD, 0, 0, ARGUMENT_OFFSET),
        (EQUAL, 2, 0, AF_UNIX), (EQUAL, 1, 0, AF_INET), (EQUAL, 0, "deny", AF_INET6),
        (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    ends = {"deny": ERRNO | EPERM, "missing": ERRNO | ENOSYS, "kill": KILL}
    places = {name: len(steps) + i for i, name in enumerate(ends)}
    steps += [(RETURN, 0, 0, value) for value in ends.values()]

    def jump(target: int | str, here: int) -> int:
        return target if isinstance(target, int) else places[target] - here - 1

    return b"".join(
        struct.pack("=HBBI", code, jump(a, i), jump(b, i), value) for i, (code, a, b, value) in enumerate(steps)
    )
