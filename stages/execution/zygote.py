"""Runs inside the sandbox, as its first process: reads programs, forks for each, writes one line of JSON for each.

Started by sandbox.py as `python -P -s zygote.py LIMITS`. It imports sympy and numpy once, or with `"libraries": true` all that
libraries.py calls slow, so that they cost a program nothing, and forks, so that no interpreter is used twice. Results cross as
text and a status, never as objects. As first process of its namespace it receives no signal from inside that it does not handle,
and orphans become its own children.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

ROOM = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(ROOM)))
from stages.execution.child import MEMORY_STATUS, STDERR_CHARS, run_child  # noqa: E402
from stages.execution.cleanup import clean, ended_cpu_seconds, kill_all, mounted_below, num_files, usage  # noqa: E402
from stages.execution.libraries import SLOW_MODULES, import_modules  # noqa: E402

sys.path.pop(0)

PRELOADED = (
    "sympy",
    "numpy",
    "numpy.random",
    "mpmath",
    "math",
    "fractions",
    "itertools",
    "collections",
    "datetime",
    "statistics",
)
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 4, 38, 36
WATCH_SECONDS = 0.1


class Run:
    """One program from its fork to its end."""

    def __init__(self, request: dict[str, Any], limits: dict[str, Any]) -> None:
        self.limits = limits
        self.wall_seconds = limits["wall_seconds"] * (limits["patience"] if request["is_last"] else 1)
        self.ended_before = ended_cpu_seconds()
        out, err, ready = os.pipe(), os.pipe(), os.pipe()
        self.child = os.fork()
        if self.child == 0:
            run_child(request, limits, out[1], err[1], ready[1])
        for _, write_end in (out, err, ready):
            os.close(write_end)
        self.pipes = {out[0]: bytearray(), err[0]: bytearray()}
        self.import_cpu_seconds = self._imported(ready[0])
        self.started = time.monotonic()

    def _imported(self, pipe: int) -> float:
        """Wait for the program's imports; returns the CPU seconds that they took."""
        if not select.select([pipe], [], [], self.limits["import_seconds"])[0]:
            kill_all()
            sys.exit("a program's libraries were not imported in time")  # no fault of the program: the sandbox is lost
        seconds = float(os.read(pipe, 64) or 0)
        os.close(pipe)
        return seconds

    def cpu_seconds(self, running: float) -> float:
        """Of the program and all that it started: `running` is what those that still run have used."""
        return max(0.0, ended_cpu_seconds() - self.ended_before + running - self.import_cpu_seconds)

    def watch(self) -> str:
        """Read the pipes until the program ends, or too long, or too much; returns "" or the status that stopped it.

        Standard error beyond its limit is read and dropped, so that a program that warns much still answers. What the child
        leaves running when it ends is killed at once, and holds no pipe open.
        """
        out, _ = self.pipes
        is_over = os.pidfd_open(self.child)
        watched = [*self.pipes, is_over]
        next_look = self.started + WATCH_SECONDS
        try:
            while watched:
                ready = select.select(watched, [], [], max(0.0, next_look - time.monotonic()))[0]
                for pipe in ready:
                    if pipe == is_over:
                        kill_all(spared=self.child)
                    if pipe == is_over or not self._read(pipe, pipe == out):
                        watched.remove(pipe)
                if len(self.pipes[out]) > self.limits["output_bytes"]:
                    return "output"
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + WATCH_SECONDS
                    if status := self._look():
                        return status
        finally:
            os.close(is_over)
        return ""

    def _read(self, pipe: int, is_whole: bool) -> bool:
        """Whether the pipe is still open."""
        block = os.read(pipe, 1 << 16)
        if is_whole or len(self.pipes[pipe]) < self.limits["output_bytes"]:
            self.pipes[pipe] += block
        return bool(block)

    def _look(self) -> str:
        memory, running = usage()
        is_flood = num_files(self.limits["writable"]) > self.limits["files"]  # empty ones take memory, though no size
        if is_flood or memory > self.limits["AS"] * 3 // 2:
            return "memory"
        is_late = time.monotonic() - self.started > self.wall_seconds
        return "timeout" if is_late or self.cpu_seconds(running) > self.limits["CPU"] else ""

    def end(self, kept: frozenset[str]) -> dict[str, Any]:
        """Kill what is left, remove what was written; returns what crosses to the other side."""
        stopped = self.watch()
        seconds = time.monotonic() - self.started
        code = 0 if stopped else os.waitpid(self.child, 0)[1]
        is_whole = kill_all() and clean(self.limits["writable"], kept)
        for pipe in self.pipes:
            os.close(pipe)
        size = self.limits["output_bytes"]
        stdout, stderr = (bytes(block[:size]).decode("utf-8", "replace") for block in self.pipes.values())
        cpu_seconds = self.cpu_seconds(0.0)
        status = stopped or status_of(code, stderr)
        is_spent = cpu_seconds > self.limits["CPU"]
        by_others = not stopped and os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL
        return {
            "status": "timeout" if is_spent and status in ("ok", "error", "killed") else status, "stdout": stdout,
            "stderr": stderr[-STDERR_CHARS:], "wall_seconds": round(seconds, 4), "cpu_seconds": round(cpu_seconds, 4),
            "is_final": is_spent or not (status == "timeout" or by_others), "is_whole": is_whole,
        }  # fmt: skip


def status_of(code: int, stderr: str) -> str:
    if os.WIFSIGNALED(code):
        return "timeout" if os.WTERMSIG(code) == signal.SIGXCPU else "killed"
    exit_code = os.WEXITSTATUS(code)
    if exit_code == MEMORY_STATUS or (exit_code and "MemoryError" in stderr):
        return "memory"
    return "error" if exit_code else "ok"


def warm_up() -> None:
    """Use what programs use most, so that what it loads and caches at first use is loaded once for all of them."""
    try:
        import sympy as sp

        x, y = sp.symbols("x y")
        uses = (
            lambda: str(sp.solve(sp.Eq(x**2 - 3 * x + 1, 0), x)), lambda: sp.solve([x + y - 3, x - y - 1], [x, y]), lambda: sp.simplify((x**2 - 1) / (x - 1)),
            lambda: sp.integrate(sp.sin(x) * x**2, (x, 0, sp.pi)), lambda: sp.limit(sp.sin(x) / x, x, 0), lambda: sp.diff(sp.exp(x) * sp.log(x), x),
            lambda: sp.factor(x**3 - y**3), lambda: sp.Matrix([[1, 2], [3, 4]]).inv(), lambda: sp.factorint(360), lambda: sp.N(sp.sqrt(2) + sp.Rational(1, 3)),
            lambda: sp.summation(x, (x, 1, y)), lambda: sp.solveset(x**2 - 4, x), lambda: sp.latex(sp.expand((x + 1) ** 3) / 2), lambda: sp.isprime(101),
        )  # fmt: skip
        for use in uses:
            use()
    except Exception:  # another version of sympy: programs are slower at their first use, that is all
        return


def preload(has_libraries: bool) -> None:
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    warm_up()
    if has_libraries:
        import_modules(list(SLOW_MODULES))
    gc.collect()
    gc.freeze()


def main() -> None:
    limits = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload(limits["libraries"])
    libc = ctypes.CDLL(None)
    # Not dumpable: a program of the same user cannot open this process's memory or pipes through /proc.
    for option, value in ((PR_SET_DUMPABLE, 0), (PR_SET_NO_NEW_PRIVS, 1), (PR_SET_CHILD_SUBREAPER, 1)):
        libc.prctl(option, value, 0, 0, 0)
    kept = mounted_below(limits["writable"])
    kill_all()
    clean(limits["writable"], kept)  # what the libraries wrote: the first program finds what all find
    os.write(1, b"ready\n")
    for line in sys.stdin.buffer:
        reply = json.dumps(Run(json.loads(line), limits).end(kept)).encode() + b"\n"
        while reply:
            reply = reply[os.write(1, reply) :]


if __name__ == "__main__":
    main()
