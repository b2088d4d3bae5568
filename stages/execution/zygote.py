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
import resource
import signal
import sys

ROOM = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(ROOM)))
from stages.execution.child import PR_SET_DUMPABLE, mapped_bytes  # noqa: E402
from stages.execution.cleanup import Folders  # noqa: E402
from stages.execution.libraries import SLOW_MODULES, import_modules  # noqa: E402
from stages.execution.processes import kill_all  # noqa: E402
from stages.execution.supervision import Run, Server  # noqa: E402

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
PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 38, 36
OWN_LIMITS = ("CORE", "MEMLOCK", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO")  # that this process has as well


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


def use_lock_files() -> None:
    """Let sqlite hold its databases by files beside them: locks on files are refused (seccomp.py). See sqlite.org/vfs.html."""
    try:
        sqlite = ctypes.CDLL(importlib.import_module("_sqlite3").__file__)
        sqlite.sqlite3_vfs_find.restype = ctypes.c_void_p
        sqlite.sqlite3_vfs_register(ctypes.c_void_p(sqlite.sqlite3_vfs_find(b"unix-dotfile")), 1)
    except (ImportError, AttributeError, OSError):  # an interpreter without it, or with one of its own inside
        return


def preload(has_libraries: bool) -> None:
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    warm_up()
    use_lock_files()
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
    for name in OWN_LIMITS:
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limits[name], limits[name]))
    folders = Folders(limits["writable"])
    kill_all()
    folders.clean()  # what the libraries wrote: the first program finds what all find
    server = Server({**limits, "mapped_bytes": mapped_bytes()}, folders)
    os.write(1, b"ready\n")
    while request := server.request():
        server.answer(Run(request, server).end())


if __name__ == "__main__":
    main()
