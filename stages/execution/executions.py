"""Running many programs: each different one once, on every CPU, its result kept the moment it ends.

    run_programs(["print(6 * 7)", "print(6 * 7)"])  ->  {"print(6 * 7)": Execution("ok", "42\\n", "", ...)}
    started = start_programs(programs)              # they run while a model writes on
    started.results()                               # as above

A kept result is known by the program, the interpreter with its libraries, the code of the sandbox and the limits. Where the machine
had a part in a run's end (wall time without as much CPU time, SIGKILL), the program runs again, beside the others and with more
patience; that run counts. A result of a sandbox that was lost is used, but never kept.
"""

import atexit
import functools
import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from queue import Empty, SimpleQueue

from stages.core.command import worker_count
from stages.core.progress import track
from stages.execution.execution_cache import ExecutionCache, cache_in
from stages.execution.libraries import DISTRIBUTIONS
from stages.execution.sandbox import ENVIRONMENT, INSIDE, SECCOMP, Execution, Sandbox, is_unsafe, limits

CACHE = Path(".work/executions")
DRAWS = re.compile(r"\b(?:random|shuffle|uuid|secrets|urandom|time|datetime|perf_counter|id\()")


def run_programs(programs: Iterable[str], title: str = "run programs", salt: int = 0) -> dict[str, Execution]:
    """Run each different program once; returns program -> Execution."""
    return start_programs(programs, title, salt).results()


def start_programs(programs: Iterable[str], title: str = "run programs", salt: int = 0) -> "StartedPrograms":
    """Begin to run each different program that has no kept result, in the background."""
    cache, image, workers = cache_in(CACHE), image_of(), _workers_here()
    known: dict[str, Execution | None] = {}
    futures: dict[str, Future[Execution]] = {}
    for program in dict.fromkeys(programs):
        key = key_of(program, salt, image)
        future = workers.started.get(key)  # asked first: what has ended since then is in the cache
        known[program] = None if future else cache.get(key)
        if not known[program]:
            futures[program] = future or workers.start(program, salt, key, cache)
    return StartedPrograms(known, futures, title)


@dataclass(frozen=True)
class StartedPrograms:
    """Programs of which some still run."""

    known: dict[str, Execution | None]
    futures: dict[str, Future[Execution]]
    title: str

    def results(self) -> dict[str, Execution]:
        """Wait for all; program -> Execution, in the order in which they were given.

        Raises:
            SandboxUnavailable: this machine cannot isolate a program.
        """
        try:
            for future in track(as_completed(self.futures.values()), self.title, len(self.futures), "programs"):
                future.result()
        finally:
            self.cancel()
        return {program: found or self.futures[program].result() for program, found in self.known.items()}

    def cancel(self) -> None:
        """Let those that have not begun be, and end those that run: after an error or an interrupt."""
        running = [future for future in self.futures.values() if not (future.done() or future.cancel())]
        if running:
            close_sandboxes()


def is_chance(program: str, execution: Execution, others: dict[str, Execution]) -> bool:
    """Whether the same program printed something else with other seeds, by a second run that `others` holds."""
    return program in others and others[program].stdout != execution.stdout


def may_draw(program: str) -> bool:
    """Whether a program mentions what makes runs differ: only such are worth a second run."""
    return bool(DRAWS.search(program))


class Workers:
    """A thread for each CPU, with a warm sandbox each, which are kept between calls: a tool loop has many."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(worker_count(), "programs")
        self.idle: SimpleQueue[Sandbox] = SimpleQueue()
        self.sandboxes: list[Sandbox] = []
        self.is_open = True
        self.started: dict[str, Future[Execution]] = {}  # that have not ended, by their keys

    def start(self, program: str, salt: int, key: str, cache: ExecutionCache) -> Future[Execution]:
        """Let a program run in some thread; `started` has it until its result is kept."""
        future = self.started[key] = self.threads.submit(self.execution_of, program, salt, key, cache)
        future.add_done_callback(lambda _: self.started.pop(key, None))
        return future

    def execution_of(self, program: str, salt: int, key: str, cache: ExecutionCache) -> Execution:
        """Run a program, again if need be, and keep the result."""
        try:
            sandbox = self.idle.get_nowait()
        except Empty:
            sandbox = Sandbox()
            self.sandboxes.append(sandbox)
        try:
            execution = sandbox.run(program, salt)
            if not execution.is_final and self.is_open:
                execution = sandbox.run(program, salt, is_last=True)
        finally:
            self.idle.put(sandbox)
        if self.is_open:
            cache.put(key, execution)
        return execution

    def close(self) -> None:
        """End the sandboxes, whatever runs in them."""
        self.is_open = False
        for sandbox in self.sandboxes:
            sandbox.kill()
        self.threads.shutdown(cancel_futures=True)
        for sandbox in self.sandboxes:
            sandbox.__exit__()


_workers: dict[tuple[int, str], Workers] = {}  # by process and limits


def close_sandboxes() -> None:
    """End the sandboxes that this process keeps warm."""
    for key in [key for key in _workers if key[0] == os.getpid()]:
        _workers.pop(key).close()


atexit.register(close_sandboxes)


def _workers_here() -> Workers:
    kind = os.getpid(), f"{worker_count()} {_limits()}"
    if kind not in _workers:
        _workers[kind] = Workers()
    return _workers[kind]


def image_of() -> str:
    """What a result depends on besides the program: interpreter, libraries, the sandbox's code, limits, isolation."""
    return hashlib.sha256(f"{_installed()}\0{_limits()}".encode()).hexdigest()


def _limits() -> str:
    return json.dumps([limits([]), ENVIRONMENT, is_unsafe(), list(Execution.__dataclass_fields__)])


@functools.cache
def _installed() -> str:
    versions = []
    for name in sorted(set(DISTRIBUTIONS.values())):
        try:
            versions.append(f"{name}={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} is not there")
    code = [file.read_text(encoding="utf-8") for file in (*INSIDE, SECCOMP)]
    return "\0".join([platform.python_version(), *versions, *code])


def key_of(program: str, salt: int, image: str) -> str:
    """The key of a program's result: 32 hex digits."""
    content = f"{image}\0{salt}\0{program}"
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]
