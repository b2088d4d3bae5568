"""The sandbox that runs model-written Python: bubblewrap around a warm interpreter that forks once per program.

    with Sandbox() as sandbox:
        sandbox.run("print(6 * 7)")  ->  Execution(status="ok", stdout="42\\n", stderr="", wall_seconds=0.004)

Inside: namespaces of its own, no network, no environment, a read-only interpreter, a private /tmp, no capabilities, a
filter of system calls, limits on CPU and wall time, memory, processes, files and output; every program is a fork of its own that is
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
from stages.execution.libraries import needs_libraries
from stages.execution.seccomp import seccomp_filter

CPU_SECONDS = 5  # of the program and all it starts; the release gives 5 s of wall time
WALL_SECONDS = 10.0  # twice that: also where two share a core, what computes meets its limit of CPU time first
PATIENCE = 3  # times as much wall time in a second run
IMPORT_SECONDS = 60.0  # for the libraries that a program names, before its clock starts
GRACE_SECONDS = 15.0  # to end and clean
START_SECONDS = 120.0
MEMORY_BYTES = 1 << 30
OUTPUT_BYTES = 64 << 10
STDERR_CHARS = 2000  # of the end
MAX_PROGRAM_BYTES = 1 << 20
TMP_BYTES, SHM_BYTES = 16 << 20, 1 << 20
MAX_FILES = 10_000
NO_CORE = 1  # byte: less than the smallest core file, and a core_pattern that is a command is not run either, as it is for 0 (core(5))
INTERPRETER = (sys.executable, "-P", "-s", "-X", "utf8")  # not -I, which would not see PYTHONHASHSEED
UNSAFE = "NINECHAPTERS_UNSAFE_EXECUTION"
NOBODY = "65534"
ZYGOTE = Path(__file__).with_name("zygote.py")
INSIDE = (
    ZYGOTE, *(ZYGOTE.with_name(f"{name}.py") for name in ("supervision", "child", "buffers", "processes", "cleanup", "inheritance", "libraries"))
)  # fmt: skip
SECCOMP = ZYGOTE.with_name("seccomp.py")
INSIDE_FOLDER = "/sandbox/stages/execution"
STATUSES = ("ok", "error", "timeout", "memory", "output", "killed", "refused")
ENVIRONMENT = {
    "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": "/tmp", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
    # pandas' arrow: its allocators reserve more than a program may map, and one starts a thread, which a fork would lose
    "ARROW_DEFAULT_MEMORY_POOL": "system", "JE_ARROW_MALLOC_CONF": "background_thread:false",
}  # fmt: skip


@dataclass(frozen=True)
class Execution:
    status: str  # one of STATUSES
    stdout: str
    stderr: str
    wall_seconds: float = 0.0
    isolation: str = "bubblewrap"  # or "none": limits alone
    cpu_seconds: float = 0.0  # without the import of the libraries that it names, as wall_seconds
    is_final: bool = True  # False: the machine had its part in it (load, memory), and another run may end otherwise


class SandboxUnavailable(StageError):
    """This machine cannot isolate a program, so none is run."""


def is_unsafe() -> bool:
    return os.environ.get(UNSAFE) == "1"


@functools.cache
def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if not found:
        raise SandboxUnavailable(
            f"{package} ({name}) is not installed, so model-written programs cannot be run safely. Install it (`sudo "
            f"apt-get install {package}`, `sudo dnf install {package}`) and run this again; "
            f"{UNSAFE}=1 runs programs without isolation, at your own risk, and marks every result."
        )
    return found


def sandbox_command(filter_descriptor: int, has_libraries: bool = False) -> list[str]:
    """The bubblewrap command around this interpreter; only system folders and the interpreter's own can be read."""
    roots = {"/usr", "/lib", "/lib64", "/bin", sys.prefix, sys.base_prefix, sysconfig.get_paths()["stdlib"]}
    present = [root for root in sorted(roots) if Path(root).exists()]
    binds = [part for root in present for part in ("--ro-bind", root, root)]
    variables = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
    return [
        *(_as_nobody(present, binds) if os.geteuid() == 0 else ()),
        tool("bwrap", "bubblewrap"), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--as-pid-1", "--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox",
        "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp",
        "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", *binds,
        *(part for file in INSIDE for part in ("--ro-bind", str(file), f"{INSIDE_FOLDER}/{file.name}")),
        "--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/tmp", "--clearenv", *variables,
        "--seccomp", str(filter_descriptor),
        "--", *INTERPRETER, f"{INSIDE_FOLDER}/{ZYGOTE.name}",
        json.dumps(limits(["/tmp", "/dev/shm"], has_libraries)),
    ]  # fmt: skip


def _as_nobody(present: list[str], binds: list[str]) -> list[str]:
    """Root's part: a view of the same folders that an ordinary user can reach (root's home is closed), as that user."""
    parents = sorted({str(parent) for root in (*present, str(ZYGOTE)) for parent in Path(root).parents} - {"/", "/tmp"})
    folders = [part for parent in parents if parent not in present for part in ("--perms", "0755", "--dir", parent)]
    return [
        tool("bwrap", "bubblewrap"), "--die-with-parent", "--tmpfs", "/tmp", *folders, *binds,
        *(part for file in INSIDE for part in ("--ro-bind", str(file), str(file))),
        "--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev", "--chdir", "/", "--",
        tool("setpriv", "util-linux"), "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs",
    ]  # fmt: skip


def limits(writable: list[str], has_libraries: bool = False) -> dict[str, Any]:
    """What bounds a program, as the zygote reads it; rlimits by their names. AS and CPU are what the program adds."""
    return {
        "wall_seconds": WALL_SECONDS, "patience": PATIENCE, "import_seconds": IMPORT_SECONDS, "output_bytes": OUTPUT_BYTES,
        "request_bytes": 4 * MAX_PROGRAM_BYTES + 1024,  # in UTF-8, with the line before it
        "writable": writable, "libraries": has_libraries,
        "AS": MEMORY_BYTES, "CPU": CPU_SECONDS, "NPROC": 16, "FSIZE": 8 << 20, "NOFILE": 64, "files": MAX_FILES,
        "CORE": NO_CORE, "MEMLOCK": 0, "SIGPENDING": 64, "MSGQUEUE": 0, "NICE": 0, "RTPRIO": 0,
    }  # fmt: skip


class Sandbox:
    """Warm interpreters: one, and another with the slow libraries once a program names one of them. Not safe for threads.

    When a program spoils its interpreter, that is replaced before the next one.
    """

    def __init__(self) -> None:
        self.interpreters: dict[bool, Interpreter] = {}
        self.is_killed = False

    def __enter__(self) -> "Sandbox":
        self._interpreter(False)
        return self

    def __exit__(self, *exception: object) -> None:
        while self.interpreters:
            self.interpreters.popitem()[1].stop()

    def kill(self) -> None:
        """End what runs, or is about to, from another thread: `run` then finds the sandbox lost."""
        self.is_killed = True
        for interpreter in list(self.interpreters.values()):
            interpreter.worker.kill()

    def run(self, program: str, salt: int = 0, is_last: bool = False) -> Execution:
        """Run one program; what it does to its interpreter ends with it.

        `salt` changes the seed of the generators that a program leaves unseeded: two salts tell a program whose answer
        is chance. The last run of a program has more patience, and is final
        unless others of the machine may have caused its end, or the sandbox itself is lost or spoilt.
        """
        if len(program) > MAX_PROGRAM_BYTES:
            return Execution("refused", "", f"the program is longer than {MAX_PROGRAM_BYTES:,} characters")
        content = program.encode("utf-8", "surrogatepass")
        seed = xxhash.xxh3_64_intdigest(content, seed=salt) >> 1
        wall_seconds = WALL_SECONDS * (PATIENCE if is_last else 1)
        request = (
            json.dumps({"program_bytes": len(content), "seed": seed, "is_last": is_last}).encode() + b"\n" + content
        )
        has_libraries = needs_libraries(program)
        interpreter = self._interpreter(has_libraries)
        if self.is_killed:  # while this interpreter started
            interpreter.worker.kill()
        started = time.monotonic()
        reply = interpreter.reply(request, IMPORT_SECONDS + wall_seconds + GRACE_SECONDS)
        is_whole = reply.pop("is_whole", False)
        if not is_whole:
            self.interpreters.pop(has_libraries).stop()
        if not reply:
            seconds = round(time.monotonic() - started, 4)
            return Execution("killed", "", "the sandbox was lost", seconds, interpreter.isolation, is_final=False)
        return Execution(**reply | {"is_final": is_whole and reply["is_final"]}, isolation=interpreter.isolation)

    def _interpreter(self, has_libraries: bool) -> "Interpreter":
        if has_libraries not in self.interpreters:
            self.interpreters[has_libraries] = Interpreter(has_libraries)
        return self.interpreters[has_libraries]


class Interpreter:
    """One process that forks for each program, in its sandbox, or with limits alone in a folder of its own."""

    def __init__(self, has_libraries: bool) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ninechapters-") if is_unsafe() else None
        self.isolation = "none" if self.folder else "bubblewrap"
        if self.folder:
            given = json.dumps(limits([self.folder.name], has_libraries))
            environment = {**ENVIRONMENT, "HOME": self.folder.name}
            command = [*INTERPRETER, str(ZYGOTE), given]
            self.worker = LineProcess(command, env=environment, cwd=self.folder.name)
        else:
            with _filter_file() as descriptor:
                command = sandbox_command(descriptor, has_libraries)
                self.worker = LineProcess(command, env={}, pass_fds=(descriptor,))
        if self.worker.read_line(START_SECONDS) != b"ready":
            raise SandboxUnavailable(
                f"the sandbox did not start: {self.stop()[:300]}. User namespaces may be disabled on this machine; the "
                f"sandbox needs them. {UNSAFE}=1 runs programs without isolation, at your own risk, and "
                "marks every result."
            )

    def reply(self, request: bytes, seconds: float) -> dict[str, Any]:
        """The fields of an Execution, and `is_whole`: a line of JSON, then as many bytes of output as it says; empty if it is lost."""
        line = self.worker.ask(request, seconds)
        if not line:
            return {}
        reply: dict[str, Any] = json.loads(line)
        sizes = {name: reply.pop(f"{name}_bytes") for name in ("stdout", "stderr")}
        content = self.worker.read_bytes(sum(sizes.values()), GRACE_SECONDS)
        if content is None:
            return {}
        outputs = content[: sizes["stdout"]], content[sizes["stdout"] :]
        stdout, stderr = (output.decode("utf-8", "replace") for output in outputs)
        return {**reply, "stdout": stdout, "stderr": stderr[-STDERR_CHARS:]}

    def stop(self) -> str:
        """Kill it; returns what stands on its standard error."""
        words = self.worker.stop()
        if self.folder:
            self.folder.cleanup()
        return words


class _filter_file:
    """The system call filter as an open file for bubblewrap."""

    def __enter__(self) -> int:
        try:
            content = seccomp_filter()
        except KeyError as error:
            raise SandboxUnavailable(
                f"there is no system call filter for the architecture {error}; {UNSAFE}=1 runs programs without isolation."
            ) from error
        self.descriptor = os.memfd_create("seccomp")
        os.write(self.descriptor, content)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
