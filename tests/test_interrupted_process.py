"""One process of a training is interrupted without the others: the stage is interrupted, and no failure of theirs hides it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState

from stages.core.command import StageError
from stages.core.interruption import Interrupted, finishing_first, interruptible
from stages.models import folders as models_module
from stages.training import checkpoints, launch, worker
from stages.training.checkpoints import STOP, STOPPED, Checkpoints, checkpoint_to_continue
from stages.training.job import TrainingJob
from stages.training.launch import launch as launch_job
from stages.training.run import train
from stages.training.seal import is_sealed, write_seal
from tests.look import EXAMPLES, PLAN, WORKER


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    work = tmp_path / "work"
    work.mkdir()
    return TrainingJob("t", tmp_path / "base", tmp_path / "out", tmp_path / "curve", work, PLAN)


def processes(job: TrainingJob, monkeypatch: pytest.MonkeyPatch, *does: str) -> None:
    """Each process of the training does that, in the work folder."""
    code = f"import os, sys, time\nos.chdir({str(job.work)!r})\n"
    code += "".join(f"if os.environ['RANK'] == '{rank}':\n    {what}\n" for rank, what in enumerate(does))
    monkeypatch.setattr(launch, "WORKER", ["-c", code])
    monkeypatch.setenv("NINECHAPTERS_PROCESSES", str(len(does)))


STOPS = f"open('{STOPPED}', 'w'); time.sleep(0.3); sys.exit({worker.INTERRUPTED})"
FAILS_FIRST = f"[time.sleep(0.01) for _ in range(3000) if not os.path.exists('{STOPPED}')]; sys.exit(1)"
WAITS = "time.sleep(600)"


@pytest.mark.parametrize("other", [FAILS_FIRST, WAITS, STOPS])
@pytest.mark.parametrize("is_first", [True, False])
def test_what_the_others_do_then_is_no_failure(
    is_first: bool, other: str, job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They fail for want of it, perhaps before it has ended; or, with NCCL, wait for hours."""
    processes(job, monkeypatch, *[STOPS, other][:: 1 if is_first else -1])
    with pytest.raises(KeyboardInterrupt):
        launch_job(job)


def test_a_failure_while_a_checkpoint_is_saved_stays_one(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk may be full when a signal has one saved: `stop` alone does not make an interruption of it."""
    processes(job, monkeypatch, f"open('{STOP}', 'w'); sys.exit(1)", WAITS)
    with pytest.raises(StageError, match="a process of 2 failed; its message stands above"):
        launch_job(job)


def test_what_an_earlier_run_left_does_not_count(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    (job.work / STOPPED).touch()
    processes(job, monkeypatch, "sys.exit(1)", WAITS)
    with pytest.raises(StageError, match="failed"):
        launch_job(job)


@pytest.mark.parametrize(
    ("left", "words"), [(STOPPED, None), (STOP, "SIGKILL"), (worker.REFUSAL, "no, because"), ("", "SIGKILL")]
)
def test_a_task_of_srun_that_was_interrupted_is_told_from_one_that_failed(
    left: str, words: str | None, job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """srun ends with any status: it kills the other tasks when one has ended."""
    program = tmp_path / "bin/srun"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{f'echo no, because > {job.work}/{left}' if left else ''}\nexit 137\n")
    program.chmod(0o755)
    for name, value in {"SLURM_JOB_ID": "1", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "n[1-2]"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(StageError if words else KeyboardInterrupt, match=words):
        launch_job(job)


def raises(error: BaseException) -> Callable[[Any], None]:
    def run(_: Any) -> None:
        raise error

    return run


def test_an_interrupted_process_says_so_before_it_ends(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "run_task", lambda _: os.kill(os.getpid(), signal.SIGTERM))  # while it loads, too
    assert worker.status_of(job) == worker.INTERRUPTED
    assert (job.work / STOPPED).exists()


def test_a_process_that_fails_for_want_of_another_ends_as_that_one(
    job: TrainingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = raises(RuntimeError("Connection closed by peer"))
    monkeypatch.setattr(worker, "run_task", fails)
    with pytest.raises(RuntimeError):
        worker.status_of(job)
    monkeypatch.setattr(worker, "run_task", lambda job: ((job.work / STOPPED).touch(), fails(job)))
    assert worker.status_of(job) == worker.INTERRUPTED


def test_the_second_signal_is_noted_though_a_library_makes_another_error_of_it() -> None:
    """torch.distributed.checkpoint does, and raises it in all processes."""
    noted: list[str] = []

    def saving() -> None:
        try:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
        except BaseException as error:
            raise RuntimeError(noted) from error

    with pytest.raises(RuntimeError, match="noted"), finishing_first("", 0, at_once=lambda: noted.append("noted")):
        saving()


def test_no_process_ends_before_its_checkpoint_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """srun kills the first one, which seals it, when another has ended."""
    (tmp_path / STOP).touch()
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    met: list[bool] = []
    monkeypatch.setattr(checkpoints, "highest", lambda number: (met.append(is_sealed(folder)), number)[1])
    callback, args = Checkpoints(tmp_path), SimpleNamespace(output_dir=str(tmp_path))
    state = TrainerState(global_step=1, max_steps=9)
    callback.on_step_end(args, state, TrainerControl())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        callback.on_save(args, state, TrainerControl())  # type: ignore[arg-type]
    assert met == [False, False, True]


def test_what_was_not_finished_is_gone_when_the_run_goes_on(tmp_path: Path) -> None:
    for step in (4, 9, 11):
        (tmp_path / f"checkpoint-{step}/parts").mkdir(parents=True)
        (tmp_path / f"checkpoint-{step}/parts/__2_0.distcp").write_text("of a third process")
    write_seal(tmp_path / "checkpoint-9")
    assert checkpoint_to_continue(tmp_path) == tmp_path / "checkpoint-9"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-9"]


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "is_sharded"), [(1, True), (0, False)])
def test_a_process_that_is_told_twice_to_end_interrupts_the_stage(
    rank: int, is_sharded: bool, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """At once, between two checkpoints: the other one is in the middle of a step, which it cannot finish."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)
    monkeypatch.setattr(launch, "WORKER", WORKER)
    told = {"PROCESSES": "2", "FSDP": str(int(is_sharded)), "CHECKPOINT_SECONDS": "0"}
    for name, value in told.items():
        monkeypatch.setenv(f"NINECHAPTERS_{name}", value)
    monkeypatch.setenv("TERMINATE_AT", f"{rank} 3")
    with pytest.raises(Interrupted) as stopped, interruptible("pretrain"):
        train("tiny", [tiny_model_folder], EXAMPLES, PLAN, Path("out"), Path("curve"))
    assert stopped.value.exit_code == 130
    (work,) = Path(".work").glob("tiny-*")
    assert f"tiny: interrupted; the checkpoint at step 3 is kept in {work}. Run the same" in stopped.value.message
    assert "Traceback" not in capfd.readouterr().err
