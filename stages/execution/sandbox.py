"""The sandbox that runs model-written Python: bubblewrap around a warm interpreter that forks once per program.

    with Sandbox() as sandbox:
        sandbox.run("print(6 * 7)")  ->  Execution(status="ok", stdout="42\\n", stderr="", wall_seconds=0.004)

Inside: namespaces of its own, no network, no environment, a read-only interpreter, a private /tmp, no capabilities, a
filter of system calls, limits on time, memory, processes, files and output; every program is a fork of its own that is
killed with all it started, and what it wrote is removed. As root, the user is given up before the sandbox is made,
because the limit on processes does not bind root. Where a platform cannot isolate, nothing is run: `SandboxUnavailable`
says what to do; NINECHAPTERS_UNSAFE_EXECUTION=1 runs programs with limits alone, and every result says so.
"""

import functools
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from stages.core.command import StageError
from stages.core.line_process import LineProcess
from stages.execution.seccomp import seccomp_filter

WALL_SECONDS = 5.0  # as in the release
GRACE_SECONDS = 5.0
START_SECONDS = 60.0
MEMORY_BYTES = 1 << 30
OUTPUT_BYTES = 64 << 10
MAX_PROGRAM_BYTES = 1 << 20
TMP_BYTES, SHM_BYTES = 16 << 20, 1 << 20
UNSAFE = "NINECHAPTERS_UNSAFE_EXECUTION"
NOBODY = "65534"
ZYGOTE = Path(__file__).with_name("zygote.py")
CLEANUP = ZYGOTE.with_name("cleanup.py")
INSIDE_BINDS = tuple(part for file in (ZYGOTE, CLEANUP) for part in ("--ro-bind", str(file), str(file)))
STATUSES = ("ok", "error", "timeout", "memory", "output", "killed", "refused")
ENVIRONMENT = {
    "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": "/tmp", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Execution:
    status: str  # one of STATUSES
    stdout: str
    stderr: str
    wall_seconds: float = 0.0
    isolation: str = "bubblewrap"  # or "none": limits alone


class SandboxUnavailable(StageError):
    """This machine cannot isolate a program, so none is run."""


def is_unsafe() -> bool:
    return os.environ.get(UNSAFE) == "1"


@functools.cache
def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if not found:
        raise SandboxUnavailable(
            f"{package} ({name}) is not installed, so no model-written program is run. "
            f"Install it (`sudo apt-get install {package}`, `sudo dnf install {package}`) and run the stage again; "
            f"{UNSAFE}=1 runs programs without isolation, on your own risk, and marks every result."
        )
    return found


def sandbox_command(filter_descriptor: int) -> list[str]:
    """The bubblewrap command around this interpreter; only system folders and the interpreter's own can be read."""
    roots = {"/usr", "/lib", "/lib64", "/bin", sys.prefix, sys.base_prefix, sysconfig.get_paths()["stdlib"]}
    present = [root for root in sorted(roots) if Path(root).exists()]
    binds = [part for root in present for part in ("--ro-bind", root, root)]
    variables = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
    return [
        *(_as_nobody(present, binds) if os.geteuid() == 0 else ()),
        tool("bwrap", "bubblewrap"), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--as-pid-1", "--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox",
        "--proc", "/proc", "--dev", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp",
        "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", *binds, "--ro-bind", str(ZYGOTE), "/sandbox/zygote.py", "--ro-bind", str(CLEANUP), "/sandbox/cleanup.py",
        "--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/tmp", "--clearenv", *variables,
        "--seccomp", str(filter_descriptor),
        "--", sys.executable, "-I", "-X", "utf8", "/sandbox/zygote.py", json.dumps(limits(["/tmp", "/dev/shm"])),
    ]  # fmt: skip


def _as_nobody(present: list[str], binds: list[str]) -> list[str]:
    """Root's part: a view of the same folders that an ordinary user can reach (root's home is closed), as that user."""
    parents = sorted({str(parent) for root in (*present, str(ZYGOTE)) for parent in Path(root).parents} - {"/", "/tmp"})
    folders = [part for parent in parents if parent not in present for part in ("--perms", "0755", "--dir", parent)]
    return [
        tool("bwrap", "bubblewrap"), "--die-with-parent", "--tmpfs", "/tmp", *folders, *binds, *INSIDE_BINDS,
        "--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev", "--chdir", "/", "--",
        tool("setpriv", "util-linux"), "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs",
    ]  # fmt: skip


def limits(writable: list[str]) -> dict[str, Any]:
    """What bounds a program, as the zygote reads it; rlimits by their names."""
    return {
        "wall_seconds": WALL_SECONDS, "output_bytes": OUTPUT_BYTES, "writable": writable,
        "AS": MEMORY_BYTES, "CPU": int(2 * WALL_SECONDS) + 1, "NPROC": 16, "FSIZE": 8 << 20, "NOFILE": 64, "CORE": 0,
    }  # fmt: skip


class Sandbox:
    """One warm interpreter. Not safe for threads; when a program spoils it, it is replaced before the next one."""

    def __init__(self) -> None:
        self.worker: LineProcess | None = None
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> "Sandbox":
        if self.worker is None:
            self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def run(self, program: str, salt: int = 0) -> Execution:
        """Run one program; what it does to its interpreter ends with it.

        `salt` changes the seed of the generators that a program leaves unseeded: two salts tell a program whose answer
        is chance.
        """
        if len(program) > MAX_PROGRAM_BYTES:
            return Execution("refused", "", f"the program is longer than {MAX_PROGRAM_BYTES:,} characters")
        if self.worker is None:
            self._start()
        assert self.worker is not None
        seed = xxhash.xxh3_64_intdigest(program.encode("utf-8", "surrogatepass"), seed=salt) >> 1
        request = json.dumps({"program": program, "seed": seed}).encode()
        started = time.monotonic()
        line = self.worker.ask(request, WALL_SECONDS + GRACE_SECONDS)
        isolation = "none" if self.folder else "bubblewrap"
        if not line:
            self._stop()
            return Execution("killed", "", "the sandbox was lost", round(time.monotonic() - started, 4), isolation)
        reply = json.loads(line)
        if not reply.pop("is_whole"):
            self._stop()
        return Execution(**reply, isolation=isolation)

    def _start(self) -> None:
        if is_unsafe():
            self.folder = tempfile.TemporaryDirectory(prefix="ninechapters-")
            command = [sys.executable, "-I", "-X", "utf8", str(ZYGOTE), json.dumps(limits([self.folder.name]))]
            worker = LineProcess(command, env=ENVIRONMENT, cwd=self.folder.name)
        else:
            with _filter_file() as descriptor:
                worker = LineProcess(sandbox_command(descriptor), env={}, pass_fds=(descriptor,))
        if worker.read_line(START_SECONDS) != b"ready":
            raise SandboxUnavailable(
                f"the sandbox does not start: {worker.stop()[:300]}. User namespaces may be switched off here; without "
                f"them no model-written program is run. {UNSAFE}=1 runs programs without isolation, on your own risk, and "
                "marks every result."
            )
        self.worker = worker

    def _stop(self) -> None:
        if self.worker:
            self.worker.stop()
            self.worker = None
        if self.folder:
            self.folder.cleanup()
            self.folder = None


class _filter_file:
    """The system call filter as an open file for bubblewrap."""

    def __enter__(self) -> int:
        try:
            content = seccomp_filter()
        except KeyError as error:
            raise SandboxUnavailable(
                f"there is no filter of system calls for the architecture {error}; {UNSAFE}=1 runs programs without isolation."
            ) from error
        self.descriptor = os.memfd_create("seccomp")
        os.write(self.descriptor, content)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
