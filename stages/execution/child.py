"""Runs inside the sandbox, in the fork that is one program: its imports, its limits, the program, an interpreter's end.

run_child({"program": "print(6 * 7)", "seed": 7}, limits, out, err, ready)      # never returns

First the libraries that the program names are imported, which is trusted code and does not count: only then is the fork
limited and `ready` told, with the CPU seconds used so far.
"""
# ruff: noqa: S102, S307, BLE001, SIM115

import ast
import atexit
import io
import math
import os
import random
import resource
import signal
import sys
import threading
import time
import types
from typing import Any

from stages.execution.libraries import import_modules, named_modules

MEMORY_STATUS = 77
STDERR_CHARS = 2000
PAGE = resource.getpagesize()
ROUND_BYTES = 64 << 20


def run_child(request: dict[str, Any], limits: dict[str, Any], out: int, err: int, ready: int) -> None:
    """In the fork: own session, own pipes, no other descriptors; never returns."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for target in range(3):
        os.dup2(null, target)
    import_modules(named_modules(request["program"]))
    for source, target in ((out, 1), (err, 2)):
        os.dup2(source, target)
    used = time.process_time()
    limit(limits, used)
    os.write(ready, repr(used).encode())
    os.closerange(3, 1024)
    signal.signal(signal.SIGINT, signal.default_int_handler)
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


def limit(limits: dict[str, Any], used: float) -> None:
    """The limits of one program; hard ones, so that it cannot raise them. Memory and CPU time are those that it adds."""
    with open("/proc/self/statm") as stream:
        mapped = int(stream.read().split()[0]) * PAGE
    mapped = -(-mapped // ROUND_BYTES) * ROUND_BYTES  # by a few pages it depends on what the interpreter did before
    given = {**limits, "AS": limits["AS"] + mapped, "CPU": math.ceil(limits["CPU"] + used)}
    for name in ("AS", "CPU", "NPROC", "FSIZE", "NOFILE", "CORE"):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (given[name], given[name]))


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
