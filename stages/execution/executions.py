"""Running many programs: each different one once, on every CPU, with a cache on the disk; timeouts are run again alone.

    run_programs(["print(6 * 7)", "print(6 * 7)"])  ->  {"print(6 * 7)": Execution("ok", "42\\n", "", ...)}

The cache knows a result by the program, the interpreter with its libraries, the zygote and the limits. A timeout is
never kept: it depends on the load.
"""

import atexit
import functools
import hashlib
import json
import os
import platform
import re
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue

from stages.core.command import worker_count
from stages.core.progress import track
from stages.execution.sandbox import CLEANUP, ZYGOTE, Execution, Sandbox, is_unsafe, limits

CACHE = Path(".work/executions.sqlite")
DRAWS = re.compile(r"\b(?:random|shuffle|uuid|secrets|urandom|time|datetime|perf_counter|id\()")


def run_programs(programs: Iterable[str], title: str = "run programs", salt: int = 0) -> dict[str, Execution]:
    """Run each different program once; returns program -> Execution."""
    different = list(dict.fromkeys(programs))
    cache = ExecutionCache(CACHE, salt)
    results = {program: found for program in different if (found := cache.get(program))}
    missing = [program for program in different if program not in results]
    if missing:
        fresh = dict(zip(missing, _run_all(missing, title, salt), strict=True))
        late = [program for program, execution in fresh.items() if execution.status == "timeout"]
        if late:
            with Sandbox() as alone:
                fresh |= {
                    program: alone.run(program, salt)
                    for program in track(late, f"{title}: timeouts again", len(late), "programs")
                }
        cache.put(fresh)
        results |= fresh
    cache.close()
    return {program: results[program] for program in different}


def is_chance(program: str, execution: Execution, others: dict[str, Execution]) -> bool:
    """Whether the same program printed something else with other seeds, by a second run that `others` holds."""
    return program in others and others[program].stdout != execution.stdout


def may_draw(program: str) -> bool:
    """Whether a program mentions what makes runs differ: only such are worth a second run."""
    return bool(DRAWS.search(program))


_kept: dict[str, list[Sandbox]] = {}  # warm ones between two calls: a tool loop has many; by process and limits


def close_sandboxes() -> None:
    """End the sandboxes that this process keeps warm."""
    for key, sandboxes in _kept.items():
        if key.startswith(f"{os.getpid()} "):
            for sandbox in sandboxes:
                sandbox.__exit__()


atexit.register(close_sandboxes)


def _run_all(programs: list[str], title: str, salt: int) -> list[Execution]:
    idle: SimpleQueue[Sandbox] = SimpleQueue()
    kept = _kept.setdefault(f"{os.getpid()} {json.dumps(limits([]))} {is_unsafe()}", [])
    count = min(worker_count(), len(programs))
    while len(kept) < count:
        kept.append(Sandbox())
    sandboxes = kept[:count]

    def run(program: str) -> Execution:
        sandbox = idle.get()
        try:
            return sandbox.run(program, salt)
        finally:
            idle.put(sandbox)

    with ThreadPoolExecutor(count) as pool:
        for sandbox in pool.map(Sandbox.__enter__, sandboxes):
            idle.put(sandbox)
        return list(track(pool.map(run, programs), title, len(programs), "programs"))


@functools.cache
def image_of() -> str:
    """What a result depends on besides the program: interpreter, libraries, zygote, limits, isolation."""
    versions = [f"{name}={metadata.version(name)}" for name in ("sympy", "numpy", "mpmath")]
    parts = [
        platform.python_version(),
        *versions,
        *(file.read_text(encoding="utf-8") for file in (ZYGOTE, CLEANUP)),
        json.dumps(limits([])),
        str(is_unsafe()),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class ExecutionCache:
    """Results of programs in an SQLite file, shared by the stages of this checkout. A cache: it may be deleted."""

    def __init__(self, path: Path, salt: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.salt = salt
        self.connection = sqlite3.connect(path, timeout=60)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS executions (key TEXT PRIMARY KEY, result TEXT) WITHOUT ROWID"
        )

    def get(self, program: str) -> Execution | None:
        row = self.connection.execute("SELECT result FROM executions WHERE key = ?", (self._key(program),)).fetchone()
        return Execution(**json.loads(row[0])) if row else None

    def put(self, results: dict[str, Execution]) -> None:
        rows = [
            (self._key(p), json.dumps(asdict(e))) for p, e in results.items() if e.status not in ("timeout", "killed")
        ]
        with self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO executions VALUES (?, ?)", rows)

    def close(self) -> None:
        self.connection.close()

    def _key(self, program: str) -> str:
        content = f"{image_of()}\0{self.salt}\0{program}"
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
