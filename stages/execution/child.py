"""Runs inside the sandbox, in the fork that is one program: its imports, its limits, the program, an interpreter's end.

run_child("print(6 * 7)", 7, limits, Pipes(out, err, ready))      # never returns

First the libraries that the program names are imported, which is trusted code and does not count: only then is the fork
limited and `ready` told, with the CPU seconds used so far. A process that ends before has told nothing, and is no result.
"""
# ruff: noqa: S102, S307, BLE001, SIM115

import ast
import atexit
import ctypes
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
from typing import Any, NamedTuple, TextIO

from stages.execution.libraries import import_modules, named_modules

MEMORY_STATUS, MEMORY_NAME = 77, b"MemoryError"  # how a process leaves that a MemoryError ended, and its name then
MAX_WORDS = 2000  # characters of an error
PAGE = resource.getpagesize()
ROUND_BYTES = 64 << 20
PR_SET_DUMPABLE, PR_SET_NAME = 4, 15
# What is needed when a program has run, which may have put something else in its place.
_BaseException, _MemoryError, _SystemExit = BaseException, MemoryError, SystemExit
_exit, _write, _print, _isinstance = os._exit, os.write, print, isinstance
_shutdown, _run_exit_functions = threading._shutdown, atexit._run_exitfuncs  # type: ignore[attr-defined]
_settrace, _setprofile = sys.settrace, sys.setprofile
_prctl = ctypes.CDLL(None).prctl


class Pipes(NamedTuple):
    """Descriptors: what the program writes, and where the child tells that it begins."""

    out: int
    err: int
    ready: int


def run_child(program: str, number: int, limits: dict[str, Any], pipes: Pipes) -> None:
    """In the fork: own session, own pipes, no other descriptors; never returns. `number` is the seed.

    A process that a MemoryError ended leaves with MEMORY_STATUS under MEMORY_NAME, which the kernel keeps until it is waited for:
    any program may leave with that status, and a page or a pipe for the mark would pass from one program to the next.
    """
    try:
        streams = prepare(program, number, limits, pipes)
    except BaseException:  # no fault of the program: `ready` is closed without a word
        _exit(1)
    status = 1
    try:
        run_module(program.encode("utf-8", "surrogateescape"), sys.modules["__main__"].__dict__)
        status = 0
    except _SystemExit as stop:
        status = exit_status_of(stop.code, streams)
    except _MemoryError:
        _prctl(PR_SET_NAME, MEMORY_NAME, 0, 0, 0)
        status = MEMORY_STATUS
    except _BaseException as error:
        tell(error, streams)
    finally:
        finish(status, streams)


def prepare(program: str, number: int, limits: dict[str, Any], pipes: Pipes) -> "Streams":
    """All that precedes the program."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for target in range(3):
        os.dup2(null, target)
    imported_bytes = import_named(program)
    for source, target in ((pipes.out, 1), (pipes.err, 2)):
        os.dup2(source, target)
    used = time.process_time()
    _prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # so that its share of memory can be read; nothing else may look into it
    limit(limits, used, imported_bytes)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    streams = Streams(Output(1), open(2, "w"))
    sys.stdin, sys.stdout, sys.stderr = open(0), streams.out, streams.err
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc,assignment]
    sys.argv = ["program.py"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    seed(number)
    os.write(pipes.ready, repr(used).encode())
    os.closerange(3, 1024)
    return streams


def import_named(program: str) -> int:
    """Import the modules that a program names; returns the bytes that were mapped for them."""
    names = named_modules(program)
    before = mapped_bytes() if names else 0
    import_modules(names)
    return mapped_bytes() - before if names else 0


def limit(limits: dict[str, Any], used: float, imported_bytes: int) -> None:
    """The limits of one program; hard ones, so that it cannot raise them. Memory and CPU time are those that it adds."""
    mapped = limits["mapped_bytes"] + imported_bytes
    mapped = -(-mapped // ROUND_BYTES) * ROUND_BYTES
    given = {**limits, "AS": limits["AS"] + mapped, "CPU": math.ceil(limits["CPU"] + used)}
    for name in ("AS", "CPU", "NPROC", "FSIZE", "NOFILE"):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (given[name], given[name]))


def mapped_bytes() -> int:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[0]) * PAGE


class Output(io.TextIOWrapper):
    """Standard output that knows whether anything was printed."""

    is_silent = True

    def __init__(self, descriptor: int) -> None:
        super().__init__(open(descriptor, "wb"), encoding="utf-8")

    def write(self, text: str) -> int:
        self.is_silent = self.is_silent and not text
        return super().write(text)


class Streams(NamedTuple):
    """The program's own, whatever it puts in the place of sys.stdout and sys.stderr."""

    out: Output
    err: TextIO

    def flush(self) -> None:
        """Flush these, and first what the program has put in their place; what it has closed is flushed."""
        for stream in (sys.stdout, sys.stderr, self.out, self.err):
            if stream is not None and not stream.closed:
                stream.flush()


def run_module(source: bytes, names: dict[str, Any]) -> None:
    """Run a program; as in a notebook, the value of its last expression is shown if it printed nothing."""
    tree = ast.parse(source, "program.py")
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "program.py", "exec"), names)
        return
    body = compile(ast.Module(tree.body[:-1], tree.type_ignores), "program.py", "exec")
    is_writing = isinstance(last.value, ast.Call) and getattr(last.value.func, "attr", "").startswith("write")
    expression = compile(ast.Expression(last.value), "program.py", "eval")
    exec(body, names)
    value = eval(expression, names)
    if value is not None and not is_writing and _isinstance(out := sys.stdout, Output) and out.is_silent:  # type: ignore[union-attr]
        _print(value)


def exit_status_of(code: object, streams: Streams) -> int:
    """What an interpreter leaves with after sys.exit(code), which writes what is no number."""
    if code is None or _isinstance(code, int):
        return code or 0  # type: ignore[return-value]
    tell(code, streams)
    return 1


def tell(what: object, streams: Streams) -> None:
    """An error, or the words of sys.exit, on standard error, after what the program has written there."""
    try:
        streams.err.flush()
        words = f"{what.__class__.__name__}: {what}" if _isinstance(what, _BaseException) else f"{what}"
        _write(2, words[:MAX_WORDS].encode("utf-8", "replace"))
    except _BaseException:  # the program has closed it, or the error has no words
        return


def finish(status: int, streams: Streams) -> None:
    """What an interpreter does at its end: wait for threads, run exit functions, flush."""
    try:
        _settrace(None)
        _setprofile(None)
        for step in (_shutdown, _run_exit_functions, streams.flush):
            try:
                step()
            except _BaseException as error:  # of an exit function, or a pipe that is gone
                status = status or 1
                tell(error, streams)
    except _BaseException:
        status = status or 1
    finally:
        _exit(status & 0xFF)


def seed(number: int) -> None:
    """The generators that a program may use without seeding them; the same program draws the same numbers."""
    random.seed(number)
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed(number % 2**32)
