"""One function over many batches, in forked worker processes, in order, with a bounded number of batches in flight.

    for rows in ordered_map(clean_batch, batches): ...

The function is inherited by the fork, not pickled: it may hold a large index. Batches and results are pickled. Memory
does not grow with the number of batches: at most three a worker are taken from the iterator ahead of the one given out.
"""

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from stages.core.command import worker_count

Batch = TypeVar("Batch")
Result = TypeVar("Result")
AHEAD = 3

_function: Callable[[Any], Any] | None = None


def batched(elements: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """The elements in lists of `size`; the last may be shorter."""
    elements = iter(elements)
    while batch := list(itertools.islice(elements, size)):
        yield batch


def ordered_map(function: Callable[[Batch], Result], batches: Iterable[Batch]) -> Iterator[Result]:
    """`map(function, batches)` on all workers; the first exception of a worker is raised here."""
    workers = worker_count()
    if workers == 1:
        yield from map(function, batches)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(function,)) as pool:
        flying: deque[Future[Result]] = deque()
        try:
            for batch in batches:
                flying.append(pool.submit(_run, batch))
                if len(flying) > AHEAD * workers:
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        finally:
            for future in flying:
                future.cancel()


def end_with_parent() -> None:
    """Let this worker process end when its parent is killed: it would wait for work for ever. Where it leads a group of
    processes, they end with it."""
    # Ctrl-C reaches the whole group: workers end without a word.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _start(function: Callable[[Any], Any]) -> None:
    global _function
    end_with_parent()
    _function = function


def _run(batch: Any) -> Any:
    assert _function is not None
    return _function(batch)
