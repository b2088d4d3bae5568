"""The sandbox that runs model-written Python: bubblewrap around a warm interpreter that forks once per program.

    with Sandbox() as sandbox:
        sandbox.run("print(6 * 7)")  ->  Execution(status="ok", stdout="42\\n", stderr="")

Inside: no network, no other processes, no environment, a read-only system, a private /tmp of 16 MB; each program is
a fork with limits on time, memory, processes, files and output. Statuses: ok, error, timeout, memory, output, killed.
Where bubblewrap is missing nothing is run: `SandboxUnavailable` says how to install it.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from selectors import EVENT_READ, DefaultSelector

from stages.core.command import StageError, worker_count
from stages.core.progress import track

WALL_SECONDS = 5.0
GRACE_SECONDS = 3.0
START_SECONDS = 30.0
ZYGOTE = Path(__file__).with_name("zygote.py")


@dataclass(frozen=True)
class Execution:
    status: str  # ok, error, timeout, memory, output, killed
    stdout: str
    stderr: str


class SandboxUnavailable(StageError):
    """This machine cannot isolate a program, so none is run."""


@functools.cache
def bubblewrap() -> str:
    found = shutil.which("bwrap")
    if not found:
        raise SandboxUnavailable(
            "bubblewrap (bwrap) is not installed, so no model-written program is run. "
            "Install it (`sudo apt-get install bubblewrap`, `sudo dnf install bubblewrap`) and run the stage again."
        )
    return found


def sandbox_command() -> list[str]:
    """The bubblewrap command around this interpreter; only system folders and the interpreter's own can be read."""
    roots = {"/usr", "/lib", "/lib64", "/bin", sys.prefix, sys.base_prefix, sysconfig.get_paths()["stdlib"]}
    binds = [part for root in sorted(roots) if Path(root).exists() for part in ("--ro-bind", root, root)]
    return [
        bubblewrap(), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534", "--hostname", "sandbox",
        "--proc", "/proc", "--dev", "/dev", "--size", str(16 << 20), "--tmpfs", "/tmp",
        "--size", str(1 << 20), "--tmpfs", "/dev/shm", *binds, "--ro-bind", str(ZYGOTE), "/sandbox/zygote.py",
        "--remount-ro", "/", "--chdir", "/tmp", "--clearenv",
        "--setenv", "PYTHONHASHSEED", "0", "--setenv", "TZ", "UTC", "--setenv", "LC_ALL", "C.UTF-8",
        "--setenv", "OMP_NUM_THREADS", "1", "--setenv", "OPENBLAS_NUM_THREADS", "1", "--setenv", "HOME", "/tmp",
        "--", sys.executable, "-I", "-X", "utf8", "/sandbox/zygote.py", str(WALL_SECONDS),
    ]  # fmt: skip


class Sandbox:
    """One warm interpreter. Not safe for threads; a program that kills it costs a restart and gets `killed`."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sandbox":
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def run(self, program: str) -> Execution:
        """Run one program; what it does to its interpreter ends with it."""
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(program).encode() + b"\n")
            self.process.stdin.flush()
            reply = self._read_line(WALL_SECONDS + GRACE_SECONDS)
        except BrokenPipeError:
            reply = None
        if reply is None:
            self._stop()
            return Execution("killed", "", "the sandbox was lost")
        return Execution(**json.loads(reply))

    def _start(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(sandbox_command(), stdin=pipe, stdout=pipe, stderr=pipe, env={}, close_fds=True)
        if self._read_line(START_SECONDS) != b"ready":
            self.process.kill()
            _, errors = self.process.communicate()
            self.process = None
            raise SandboxUnavailable(
                f"the sandbox does not start: {errors.decode(errors='replace').strip()[:300]}. User namespaces may be "
                "switched off here; without them no model-written program is run."
            )

    def _stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _read_line(self, seconds: float) -> bytes | None:
        """The next line of the sandbox, or None when it ends or stays silent."""
        assert self.process is not None
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        line = b""
        with DefaultSelector() as selector:
            selector.register(descriptor, EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(seconds):
                    return None
                block = os.read(descriptor, 1 << 16)
                if not block:
                    return None
                line += block
        return line[:-1]


def run_programs(programs: Iterable[str], title: str = "run programs") -> dict[str, Execution]:
    """Run each different program once, on every CPU; returns program -> Execution."""
    different = list(dict.fromkeys(programs))
    if not different:
        return {}
    idle: SimpleQueue[Sandbox] = SimpleQueue()
    sandboxes = [Sandbox() for _ in range(min(worker_count(), len(different)))]

    def run(program: str) -> Execution:
        sandbox = idle.get()
        try:
            return sandbox.run(program)
        finally:
            idle.put(sandbox)

    try:
        for sandbox in sandboxes:
            sandbox.__enter__()
            idle.put(sandbox)
        with ThreadPoolExecutor(len(sandboxes)) as pool:
            results = list(track(pool.map(run, different), title, len(different), "programs"))
    finally:
        for sandbox in sandboxes:
            sandbox.__exit__()
    return dict(zip(different, results, strict=True))
