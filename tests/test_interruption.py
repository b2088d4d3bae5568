"""Ctrl-C and SIGTERM: one line that says where the stage stopped and what is kept, and a run that goes on from there."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stages.core import interruption
from stages.core.interruption import (
    Interrupted,
    finishing_first,
    interrupted_line,
    interruptible,
    note_kept,
    own_handlers,
)
from stages.core.progress import Tracker
from stages.models import folders as models_module
from stages.training.run import train
from tests.conftest import ROOT
from tests.forked import Forked
from tests.look import EXAMPLES, PLAN

PLAN = replace(PLAN, num_epochs=16, batch_rows=2)
TRAIN = """
import sys
from dataclasses import replace
from pathlib import Path
import click
from stages.core.interruption import interruptible
from stages.models import folders as models
from stages.training.run import train
from tests.test_interruption import EXAMPLES, PLAN
models.CPU_THREADS = 1
@click.command()
def main():
    with interruptible("pretrain"):
        train("pretrain tiny", [Path(sys.argv[1])], EXAMPLES, PLAN, Path("out"), Path("curve"))
main(args=[])
"""


def interrupted(
    model: Path, is_time: Callable[[], bool], number: signal.Signals = signal.SIGINT, **variables: str
) -> tuple[int, str]:
    """A training here that gets the signal when it is time; its status and what it said. All its processes have ended."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    said = Path("said")
    with said.open("w") as stream:
        stage = Forked(["-c", TRAIN, str(model)], ".", environment, (0, 1, stream.fileno()))
    while not is_time():
        assert stage.poll() is None, said.read_text()
        time.sleep(0.02)
    processes = psutil.Process(stage.pid).children(recursive=True)
    stage.send_signal(number)
    status = stage.wait(60)
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    return status, said.read_text()


def line_of(said: str) -> tuple[str, int]:
    """The last line, and the step of the checkpoint that it names."""
    line = said.splitlines()[-1]
    assert "Traceback" not in said
    assert "Aborted" not in said
    found = re.search(
        r"the checkpoint at step (\d+) is kept in (\.work/pretrain-tiny-\w{8})\. Run the same command", line
    )
    assert found, line
    assert (Path(found[2]) / f"checkpoint-{found[1]}/whole").exists()
    return line, int(found[1])


def points(folder: Path) -> list[str]:
    path = folder / "plots/metrics/loss.tsv"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_an_interrupted_training_saves_first_and_goes_on(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)
    curve = tmp_path / "curve"
    status, said = interrupted(tiny_model_folder, lambda: len(points(curve)) > 3)
    line, step = line_of(said)
    assert status == 130
    assert line.startswith(f"pretrain tiny: interrupted at step {step} of ")
    assert not (tmp_path / "out").exists()
    drawn = points(curve)
    (seconds,) = tmp_path.glob(".work/pretrain-tiny-*/seconds.json")
    assert json.loads(seconds.read_text())["seconds"] > 0
    seconds.write_text('{"seconds": 1000}')
    train("pretrain tiny", [tiny_model_folder], EXAMPLES, PLAN, Path("out"), Path("curve"))
    assert json.loads(Path(".work/usage/train-out.json").read_text())["seconds"] > 1000, (
        "both parts of the training count"
    )
    train("unbroken", [tiny_model_folder], EXAMPLES, PLAN, Path("unbroken"), Path("unbroken-curve"))
    assert (tmp_path / "out/model.safetensors").read_bytes() == (tmp_path / "unbroken/model.safetensors").read_bytes()
    assert points(curve) == points(tmp_path / "unbroken-curve")
    assert points(curve)[: len(drawn)] == drawn


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_several_processes_save_and_the_stage_says_it(
    number: signal.Signals, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = interrupted(
        tiny_model_folder, lambda: bool(list(tmp_path.glob(".work/*/checkpoint-*/whole"))), number,
        NINECHAPTERS_PROCESSES="2", NINECHAPTERS_CHECKPOINT_SECONDS="0",
    )  # fmt: skip
    line, _ = line_of(said)
    assert status == 128 + number
    assert line.startswith("pretrain tiny: interrupted; ")


def stopped_while_it_counts(number: signal.Signals) -> None:
    with interruptible("estimate_value"), Tracker("estimate_value", 979, "candidates") as tracker:
        note_kept("what is finished is kept in .work/estimate_value-1a2b3c4d")
        tracker.advance(512)
        os.kill(os.getpid(), number)
        time.sleep(5)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stage_without_steps_says_how_far_it_was(number: signal.Signals, status: int) -> None:
    with pytest.raises(Interrupted) as caught:
        stopped_while_it_counts(number)
    assert caught.value.exit_code == status
    assert caught.value.message == (
        "estimate_value: interrupted after 512 of 979 candidates; what is finished is kept in "
        ".work/estimate_value-1a2b3c4d. Run the same command again (`dvc repro`) to continue from there."
    )
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_library_s_handlers_go_with_it() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with own_handlers():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_what_is_finished_is_not_told() -> None:
    with interruptible("report"), Tracker("report: pages", 3, "pages") as tracker:
        tracker.advance(3)
    expected = "report: interrupted; nothing is half-written. Run the same command again (`dvc repro`) to start again."
    assert interrupted_line("report") == expected


def test_a_tool_is_no_stage_that_dvc_runs() -> None:
    with interruptible("plan", is_stage=False):
        assert interrupted_line("plan") == "plan: interrupted; nothing is half-written. Run the same command again."
        note_kept("what is finished is kept in .work/x")
        assert interrupted_line("plan").endswith("kept in .work/x. Run the same command again to continue from there.")


def test_the_second_signal_and_the_end_of_patience_stop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(number_of_signals: int) -> None:
        with finishing_first("test"):
            for _ in range(number_of_signals):
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(20)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        asked(2)
    monkeypatch.setattr(interruption, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(KeyboardInterrupt):
        asked(1)
    assert time.monotonic() - began < 15
    with pytest.raises(KeyboardInterrupt), finishing_first("test"):
        os.kill(os.getpid(), signal.SIGINT)  # and the block comes to its end before it is noticed


def test_a_run_after_an_interrupted_one_is_not_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt), finishing_first("test"):
        os.kill(os.getpid(), signal.SIGINT)
    with finishing_first("test"):
        assert not interruption.is_interrupted()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
