"""The tokens that engines have written so far, in this process and its forked workers: what progress shows within a batch.

    written.add(64)                       # an engine, after each token of its batch
    with written.heard_by(meter.beat):    # who is told of it, in this process
        ...

A batch of 128 long answers of a large model takes minutes, in which no prompt is done.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_counter: Any = multiprocessing.get_context("fork").Value("q", 0)
_listener: Callable[[], None] | None = None


def add(num_tokens: int) -> None:
    with _counter.get_lock():
        _counter.value += num_tokens
    if _listener:
        _listener()


def total() -> int:
    return int(_counter.value)


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
