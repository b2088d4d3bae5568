"""Mapping over batches in worker processes: order, a bounded look ahead, errors, and workers that end with their parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from stages.core.command import StageError
from stages.core.parallel import AHEAD, ordered_map

LARGE = {i: str(i) for i in range(10)}


def double(number: int) -> int:
    time.sleep(0.002 * (number % 3))
    return 2 * number


@pytest.mark.parametrize("workers", ["1", "2", "4"])
def test_results_come_in_order(workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
    assert list(ordered_map(double, range(100))) == [2 * i for i in range(100)]


def test_batches_are_taken_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "2")
    taken = 0

    def batches() -> Iterator[int]:
        nonlocal taken
        for i in range(1000):
            taken += 1
            yield i

    for number, _ in enumerate(ordered_map(double, batches())):
        assert taken - number <= 2 * AHEAD + 2


def test_an_error_of_a_worker_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "2")

    def fail(number: int) -> int:
        if number == 7:
            raise StageError("batch 7 is bad")
        return number

    with pytest.raises(StageError, match="batch 7 is bad"):
        list(ordered_map(fail, range(100)))


def test_a_function_is_inherited_with_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "2")
    assert list(ordered_map(lambda i: LARGE[i], range(10))) == [str(i) for i in range(10)]


@pytest.mark.slow
def test_workers_end_with_a_killed_parent() -> None:
    program = (
        "import time\nfrom stages.core.parallel import ordered_map\n"
        "def slow(i):\n    print(i, flush=True)\n    time.sleep(0.1)\n"
        "for _ in ordered_map(slow, range(10000)):\n    pass\n"
    )
    environment = {**os.environ, "NINECHAPTERS_WORKERS": "2"}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert len(workers) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
