"""When a checkpoint is saved: by the clock, at a bounded share of the time, and when a signal asks for one."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl, TrainerState

from stages.core.command import StageError
from stages.core.interruption import Interrupted, finishing_first, interruptible, is_interrupted
from stages.models import folders as models_module
from stages.training import checkpoints
from stages.training import trainer as trainer_module
from stages.training.checkpoints import Checkpoints, checkpoints_in
from stages.training.curve import Curve
from stages.training.run import train
from tests.look import EXAMPLES, PLAN

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]


class Clock:
    """Stands in for `time` in stages.training.checkpoints."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(checkpoints, "time", made)
    return made


def saved_steps(
    work: Path, clock: Clock, step_seconds: float, save_seconds: float, num_steps: int, num_bytes: float = 0.0
) -> list[int]:
    """The steps after which a run saves whose steps and checkpoints take so long."""
    callback, steps = Checkpoints(work, num_bytes), []
    args = SimpleNamespace(output_dir=str(work), logging_steps=1000)
    for step in range(1, num_steps + 1):
        clock.now += step_seconds
        control, state = TrainerControl(), TrainerState(global_step=step, max_steps=num_steps)
        callback.on_step_end(args, state, control)
        if control.should_save:
            clock.now += save_seconds
            (work / f"checkpoint-{step}").mkdir()
            callback.on_save(args, state, control)
            steps.append(step)
    return steps


def test_they_go_by_the_clock_and_not_by_the_curve(tmp_path: Path, clock: Clock) -> None:
    assert saved_steps(tmp_path, clock, 7, 0.1, 100) == [18, 36, 54, 72, 90]


def test_none_is_saved_after_the_last_step_for_its_time_alone(tmp_path: Path, clock: Clock) -> None:
    assert saved_steps(tmp_path, clock, 120, 0.1, 3) == [1, 2]


def test_nought_seconds_save_after_each_step(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_CHECKPOINT_SECONDS", "0")
    assert saved_steps(tmp_path, clock, 1, 50, 4) == [1, 2, 3]


@pytest.mark.parametrize("save_seconds", [5, 60, 600])
def test_saving_takes_a_fiftieth_of_the_time(save_seconds: float, tmp_path: Path, clock: Clock) -> None:
    """The first one too, whose time is guessed from its bytes (a gigabyte a second)."""
    steps = saved_steps(tmp_path, clock, 10, save_seconds, 20_000, num_bytes=save_seconds * 1e9)
    assert 0.015 < len(steps) * save_seconds / clock.now <= 0.02
    assert steps[0] * 10 >= 49 * save_seconds


def test_a_file_in_the_work_folder_stops_it(tmp_path: Path, clock: Clock) -> None:
    """A signal comes to the stage, which may be on another machine than the training."""
    (tmp_path / "stop").touch()
    with pytest.raises(KeyboardInterrupt):
        saved_steps(tmp_path, clock, 1, 1, 100)
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-1"]


@pytest.mark.parametrize("at", [2, 7])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_saves_one_at_the_end_of_the_step_and_says_what_to_type(
    number: signal.Signals, at: int, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two points of the curve, and in the last step, too; the run goes on from there and ends the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)
    monkeypatch.setattr(trainer_module, "POINTS", 2)
    real = Curve.on_step_end

    def signalled(self, args, state, control, **rest):  # type: ignore[no-untyped-def]
        real(self, args, state, control, **rest)
        assert args.logging_steps == 3
        if state.global_step == at:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Curve, "on_step_end", signalled)
    with pytest.raises(Interrupted) as stopped, interruptible("pretrain"):
        train("tiny", [tiny_model_folder], EXAMPLES, PLAN, Path("out"), Path("curve"))
    assert stopped.value.exit_code == 128 + number
    (work,) = tmp_path.glob(".work/tiny-*")
    assert stopped.value.message == (
        f"tiny: interrupted at step {at} of 7; the checkpoint at step {at} is kept in {work.relative_to(tmp_path)}. "
        f"Run the same command again (`dvc repro`) to continue from there."
    )
    assert [path.name for path in checkpoints_in(work)] == [f"checkpoint-{at}"]
    monkeypatch.setattr(Curve, "on_step_end", real)
    scheduler = work / f"checkpoint-{at}/scheduler.pt"
    scheduler.rename(tmp_path / "scheduler.pt")
    with pytest.raises(StageError, match=r"checkpoint-\d cannot be continued: scheduler.pt is missing.*RESUME=0"):
        train("tiny", [tiny_model_folder], EXAMPLES, PLAN, Path("out"), Path("curve"))
    (tmp_path / "scheduler.pt").rename(scheduler)
    train("tiny", [tiny_model_folder], EXAMPLES, PLAN, Path("out"), Path("curve"))
    train("whole", [tiny_model_folder], EXAMPLES, PLAN, Path("whole"), Path("whole-curve"))
    for file in ("out/model.safetensors", "curve/plots/metrics/loss.tsv"):
        other = file.replace("out/", "whole/").replace("curve/", "whole-curve/")
        assert Path(file).read_bytes() == Path(other).read_bytes()


def test_what_follows_a_warning_does_not_stop_the_saving() -> None:
    """Slurm warns (SIGUSR1), and ends the job later with SIGTERM, and half a minute after with SIGKILL."""
    reached: list[int] = []

    def saving() -> None:
        for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
            assert is_interrupted()
            reached.append(number)

    with pytest.raises(KeyboardInterrupt), finishing_first("", seconds=0):
        saving()
    assert len(reached) == 3, "the second SIGTERM stops it at once"


def test_a_checkpoints_size_is_guessed_from_what_is_trained() -> None:
    model = torch.nn.Linear(10, 10, bias=False)
    assert checkpoints.written_bytes(model) == 1200
    assert checkpoints.written_bytes(model.requires_grad_(False)) == 0
