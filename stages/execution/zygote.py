"""Runs inside the sandbox, as its first process: reads programs, forks for each, writes one line of JSON for each.

Started by sandbox.py as `python -I zygote.py LIMITS`. It imports sympy and numpy once, so that they cost a program
nothing, and forks, so that no interpreter is used twice. Results cross as text and a status, never as objects. As first
process of its namespace it receives no signal from inside that it does not handle, and orphans become its own children.
"""

import ast
import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import random
import resource
import select
import signal
import sys
import threading
import time
import types
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))
from cleanup import clean, kill_all, memory_in_use, mounted_below  # type: ignore[import-not-found]

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
MEMORY_STATUS = 77
WATCH_SECONDS = 0.1
STDERR_CHARS = 2000


def limit(limits: dict[str, Any]) -> None:
    """The limits of one program; hard ones, so that it cannot raise them."""
    for name in ("AS", "CPU", "NPROC", "FSIZE", "NOFILE", "CORE"):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limits[name], limits[name]))


def run_child(request: dict[str, Any], limits: dict[str, Any], out: int, err: int) -> None:
    """In the fork: own session, own pipes, no other descriptors; never returns."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
    os.closerange(3, 1024)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    limit(limits)
    sys.stdin, sys.stdout, sys.stderr = open(0), Output(1), open(2, "w")
    sys.argv = ["program.py"]
    seed(request["seed"])
    status = 0
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        source = request["program"].encode("utf-8", "surrogateescape")
        run_module(source, module.__dict__)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except MemoryError:
        status = MEMORY_STATUS
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}"[:STDERR_CHARS])
        status = 1
    finish(status)


class Output(io.TextIOWrapper):
    """Standard output that knows whether anything was printed."""

    is_silent = True

    def __init__(self, descriptor: int) -> None:
        super().__init__(open(descriptor, "wb"), encoding="utf-8")

    def write(self, text: str) -> int:
        self.is_silent = self.is_silent and not text
        return super().write(text)


def run_module(source: bytes, names: dict[str, Any]) -> None:
    """Run a program; as in a notebook, the value of its last expression is shown if it printed nothing."""
    tree = ast.parse(source, "program.py")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "program.py", "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "program.py", "eval"), names)
        is_writing = isinstance(last.value, ast.Call) and getattr(last.value.func, "attr", "").startswith("write")
        if value is not None and not is_writing and getattr(sys.stdout, "is_silent", False):
            print(value)


def finish(status: int) -> None:
    """What an interpreter does at its end: wait for threads, run exit functions, flush."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # of an exit function, or a pipe that is gone
        os.write(2, f"{type(error).__name__}: {error}"[:STDERR_CHARS].encode("utf-8", "replace"))
        status = status or 1
    finally:
        os._exit(status & 0xFF)


def seed(number: int) -> None:
    """The generators that a program may use without seeding them; the same program draws the same numbers."""
    random.seed(number)
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed(number % 2**32)


def collect(child: int, pipes: dict[int, bytearray], limits: dict[str, Any]) -> str:
    """Read the child's pipes until it ends, or too long, or too much; returns "" or the status that stopped it.

    Standard error beyond its limit is read and dropped, so that a program that warns much still answers. What the child
    leaves running when it ends is killed at once, and holds no pipe open.
    """
    deadline = time.monotonic() + limits["wall_seconds"]
    out, _ = pipes
    is_over = os.pidfd_open(child)
    watched = [*pipes, is_over]
    try:
        while len(watched) > (is_over in watched):
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            ready = select.select(watched, [], [], min(left, WATCH_SECONDS))[0]
            if not ready and memory_in_use() > limits["AS"] * 3 // 2:
                return "memory"
            for pipe in ready:
                if pipe == is_over:
                    kill_all(spared=child)
                    watched.remove(is_over)
                    continue
                block = os.read(pipe, 1 << 16)
                if not block:
                    watched.remove(pipe)
                if pipe == out or len(pipes[pipe]) < limits["output_bytes"]:
                    pipes[pipe] += block
            if len(pipes[out]) > limits["output_bytes"]:
                return "output"
    finally:
        os.close(is_over)
    return ""


def execute(request: dict[str, Any], limits: dict[str, Any], kept: frozenset[str]) -> dict[str, Any]:
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        run_child(request, limits, out_write, err_write)
    os.close(out_write)
    os.close(err_write)
    pipes = {out_read: bytearray(), err_read: bytearray()}
    stopped = collect(child, pipes, limits)
    code = None
    if not stopped:
        code, stopped = wait_for(child, started + limits["wall_seconds"])
    if stopped:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    seconds = time.monotonic() - started
    is_whole = kill_all() and clean(limits["writable"], kept)
    for pipe in pipes:
        os.close(pipe)
    limit_bytes = limits["output_bytes"]
    stdout, stderr = (bytes(block[:limit_bytes]).decode("utf-8", "replace") for block in pipes.values())
    return {
        "status": stopped or status_of(code or 0, stderr), "stdout": stdout, "stderr": stderr[-STDERR_CHARS:],
        "wall_seconds": round(seconds, 4), "is_whole": is_whole,
    }  # fmt: skip


def wait_for(child: int, deadline: float) -> tuple[int, str]:
    """The child's wait status; it may have closed its pipes and go on."""
    while True:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            return code, ""
        if time.monotonic() > deadline:
            return 0, "timeout"
        time.sleep(0.001)


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


def main() -> None:
    limits = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    warm_up()
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    # Not dumpable: a program of the same user cannot open this process's memory or pipes through /proc.
    for option, value in ((PR_SET_DUMPABLE, 0), (PR_SET_NO_NEW_PRIVS, 1), (PR_SET_CHILD_SUBREAPER, 1)):
        libc.prctl(option, value, 0, 0, 0)
    kept = mounted_below(limits["writable"])
    os.write(1, b"ready\n")
    for line in sys.stdin.buffer:
        reply = json.dumps(execute(json.loads(line), limits, kept)).encode() + b"\n"
        while reply:
            reply = reply[os.write(1, reply) :]


if __name__ == "__main__":
    main()
