"""A stage has one owner: a second process is refused while the first lives, whatever ends the first."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.core import work as work_module
from stages.core.command import StageError
from stages.core.files import read_csv, write_json
from stages.core.usage import read_usage, write_usage
from stages.core.work import OWNERS, finish_work, own, work_folder
from tests.conftest import ROOT

HOLD = """
import os, sys, time
from stages.core.work import work_folder
folder = work_folder("train-a", [], {"seed": 1}, [])
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(60)
(folder / "started").touch()
time.sleep(60)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def started(here: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that owns `train-a` here."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, *arguments]
    process = subprocess.Popen(command, cwd=here, env=environment, start_new_session=True)
    wait_for(lambda: bool(list(here.glob(".work/train-a-*/started"))) or process.poll() is not None)
    return process


def test_a_second_process_is_refused_and_told_by_whom(here: Path) -> None:
    first = started(here)
    try:
        with pytest.raises(StageError, match=rf"process {first.pid} on .* runs train-a since 2.*UTC.*kill {first.pid}"):
            work_folder("train-a", [], {"seed": 1}, [])
        with pytest.raises(StageError, match=f"process {first.pid}"):
            work_folder("train-a", [], {"seed": 2}, [])  # the outs are the same
        work_folder("train-b", [], {"seed": 1}, [])
    finally:
        first.kill()
        first.wait()
    assert (work_folder("train-a", [], {"seed": 1}, []) / "started").exists(), "its work is gone on with"


@pytest.mark.parametrize("way", ["finished", "RESUME=0", "damaged"])
def test_a_kill_while_work_is_deleted_leaves_no_half_of_it(
    way: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left of a checkpoint would be gone on from."""
    folder = work_folder("train-a", [], {"seed": 1}, [])
    for name in ("weights", "whole"):
        (folder / name).touch()
    if way == "damaged":
        (folder / "run.json").write_text("{")

    def kill(path: Path, **_: object) -> None:
        (path / "weights").unlink()
        raise KeyboardInterrupt

    monkeypatch.setenv("RESUME", "0" if way == "RESUME=0" else "")
    delete = {"finished": lambda: finish_work(folder)}.get(way, lambda: work_folder("train-a", [], {"seed": 1}, []))
    with monkeypatch.context() as killed:
        killed.setattr("shutil.rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            delete()
    monkeypatch.delenv("RESUME")
    assert [path.name for path in work_folder("train-a", [], {"seed": 1}, []).iterdir()] == ["run.json"]
    finish_work(folder)
    assert [path.name for path in here.glob(".work/*")] == ["owners"], "what the killed one left is gone, too"


def test_a_worker_that_outlives_its_killed_parent_owns_nothing(here: Path) -> None:
    first = started(here, "fork")
    first.kill()
    first.wait()
    try:
        os.killpg(first.pid, 0)  # the worker lives
        own("train-a")
    finally:
        os.killpg(first.pid, signal.SIGKILL)


def test_the_same_process_may_ask_again_and_finished_work_is_free(here: Path) -> None:
    folder = work_folder("train-a", [], {"seed": 1}, [])
    assert folder == work_folder("train-a", [], {"seed": 1}, [])
    ask = f"from stages.core.work import own\nown('train-a')\nprint(open('{OWNERS}/train-a.json').read())"
    command = [sys.executable, "-c", ask]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f"process {os.getpid()}" in refused.stderr
    finish_work(folder)
    assert not folder.exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["pid"] != os.getpid()


def test_a_file_system_without_locks_is_said(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    own("train-a")
    assert "cannot be locked (No locks available): do not run this stage twice" in capsys.readouterr().err
    monkeypatch.setattr(work_module, "WITHOUT_LOCKS", ())
    with pytest.raises(OSError, match="No locks"):
        own("train-b")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x00" * 50, b'{"stage": "train-a"}'])
def test_a_damaged_record_of_work_is_made_anew(here: Path, content: bytes) -> None:
    folder = work_folder("train-a", [], {"seed": 1}, [])
    (folder / "started").touch()
    (folder / "run.json").write_bytes(content)
    assert work_folder("train-a", [], {"seed": 1}, []) == folder
    assert not (folder / "started").exists(), "whose code made it, nobody knows"
    assert json.loads((folder / "run.json").read_bytes())["stage"] == "train-a"
    (folder / "started").touch()
    (folder / "run.json").write_bytes(content)
    work_folder("train-a", [], {"seed": 2}, [])


def test_a_damaged_usage_record_is_passed_over(here: Path) -> None:
    write_usage("distill", Path("a/b.parquet"), {"usd": float("nan")})
    (here / ".work/usage/other.json").write_bytes(b"{")
    (record,) = read_usage()
    assert record["usd"] is None, "JSON has no NaN"


def test_json_files_hold_no_nan(tmp_path: Path) -> None:
    write_json({"a": [float("nan"), 1.5, {"b": float("-inf")}], "c": (float("inf"),)}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail) == {
        "a": [None, 1.5, {"b": None}], "c": [None],
    }  # fmt: skip


def test_csv_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfstep,loss\r\n1,0.5\r\n")
    assert read_csv(tmp_path / "a.csv") == [{"step": "1", "loss": "0.5"}]
