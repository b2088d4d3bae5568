"""One run at a time buys into a folder of the ledger, with locks and without."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.distillation import ledger_lock
from stages.distillation.ledger_lock import hold


class WithoutLocks:
    """A file system that has no locks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)


def test_without_locks_one_run_at_a_time_buys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WithoutLocks(monkeypatch)
    with hold(tmp_path), pytest.raises(StageError, match=rf"process {os.getpid()} on .*delete .*owner"), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass
    ended = subprocess.Popen(["true"])
    ended.wait()
    for pid, host, is_free in ((ended.pid, None, True), (ended.pid, "another", False), (os.getpid(), None, False)):
        record = {**ledger_lock._myself(), "pid": pid}
        next(tmp_path.glob("owner.*")).write_text(json.dumps(record | ({"host": host} if host else {})))
        if is_free:
            with hold(tmp_path):
                pass
        else:
            with pytest.raises(StageError, match="another run is buying"), hold(tmp_path):
                pass
        assert len(list(tmp_path.iterdir())) == 2, "the lock and the last owner"


@pytest.mark.parametrize("left", [[], ["owner.1"], ["owner.9", "owner.10"]])
def test_of_many_that_come_at_once_one_holds(left: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WithoutLocks(monkeypatch)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads meet between any two steps
    try:
        for number in range(30):
            folder = tmp_path / str(number)
            folder.mkdir()
            for name in left:  # of a process that has ended
                (folder / name).write_text(json.dumps({**ledger_lock._myself(), "pid": 2**30}))
            assert held_by_threads(folder, 8) == 1
    finally:
        sys.setswitchinterval(before)


def held_by_threads(folder: Path, count: int) -> int:
    """How many of so many threads hold the folder at the same time."""
    barrier = threading.Barrier(count)

    def ask(_: int) -> object:
        barrier.wait(30)
        return ledger_lock._taken(folder)

    with ThreadPoolExecutor(count) as threads:
        return sum(release is not None for release in threads.map(ask, range(count)))


def test_who_acts_late_on_what_it_has_read_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its look and its link others have held the folder and left, and one holds it."""
    WithoutLocks(monkeypatch)
    first = ledger_lock._taken(tmp_path)
    assert first
    first()
    owners, looks = ledger_lock._owners, []

    def late(folder: Path) -> list[Path]:
        found = owners(folder)
        if not looks:
            looks.append(1)
            for _ in range(3):
                release = ledger_lock._taken(folder)
                assert release
                release()
            assert ledger_lock._taken(folder)
        return found

    monkeypatch.setattr(ledger_lock, "_owners", late)
    assert ledger_lock._taken(tmp_path) is None
    assert [path.name for path in tmp_path.glob("owner.*")] == ["owner.5"]


def test_LEDGER_WAIT_lets_a_run_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_lock, "LOOK_SECONDS", 0.01)
    monkeypatch.setenv("LEDGER_WAIT", "5")
    first = hold(tmp_path)
    first.__enter__()
    timer = threading.Timer(0.1, lambda: first.__exit__(None, None, None))
    timer.start()
    with hold(tmp_path):
        pass
    for text in ("soon", "nan", "inf", "-1", "1e999"):
        monkeypatch.setenv("LEDGER_WAIT", text)
        with pytest.raises(StageError, match=f"LEDGER_WAIT is '{text}'"), hold(tmp_path):
            pass
