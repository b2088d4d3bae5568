"""How a training is launched: in several forward passes, in processes that end with the stage, by a job that is written down."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from stages.core.command import StageError
from stages.models import folders as models_module
from stages.training.job import LoraPlan, TrainingJob, read_job
from stages.training.run import train
from stages.training.sections import TrainingPlan
from stages.training.token_store import write_store
from tests.conftest import ROOT
from tests.forked import Forked
from tests.look import EXAMPLES, PLAN, curve
from tests.tiny import tiny_tokenizer


@pytest.fixture
def one(tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)
    train("one", [tiny_model_folder], EXAMPLES, PLAN, tmp_path / "one", tmp_path / "one-curve", keep_optimizer=True)
    return tmp_path


def test_fewer_tokens_at_a_time_do_not_change_what_is_learnt(
    one: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step's loss and gradient agree to the last digits (of bfloat16, where the machine has it), and later ones nearly."""
    monkeypatch.setenv("NINECHAPTERS_MICRO_TOKENS", "64")
    monkeypatch.setenv("NINECHAPTERS_GRADIENT_CHECKPOINTING", "1")
    train("few", [tiny_model_folder], EXAMPLES, PLAN, one / "few", one / "few-curve", keep_optimizer=True)
    for column in ("loss", "gradient_norm", "learning_rate"):
        found, expected = curve(one / "few-curve", column), curve(one / "one-curve", column)
        assert len(found) > 4
        assert found[0] == pytest.approx(expected[0], rel=1e-4), column
        assert found == pytest.approx(expected, rel=2e-3), column
    for file in ("model.safetensors", "optimizer/state-00001.safetensors"):
        ours, theirs = load_file(one / "few" / file), load_file(one / "one" / file)
        assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}


TRAIN_LONG = """
import sys
from dataclasses import replace
from pathlib import Path
from stages.training.run import train
from tests.conftest import ROOT
from tests.look import EXAMPLES, PLAN
train("long", [Path(sys.argv[1])], EXAMPLES, replace(PLAN, num_epochs=5000), Path("out"), Path("curve"))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("fork_server")
def test_processes_end_when_the_stage_is_killed(tiny_model_folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "NINECHAPTERS_PROCESSES": "2", "PYTHONPATH": str(ROOT)}
    stage = Forked(["-c", TRAIN_LONG, str(tiny_model_folder)], tmp_path, environment)
    processes: list[psutil.Process] = []
    while len(processes) < 2:
        assert stage.poll() is None
        processes = psutil.Process(stage.pid).children(recursive=True)
        time.sleep(0.1)
    stage.kill()
    stage.wait()
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_processes_of_a_torchrun_end_with_it(tiny_model_folder: Path, tmp_path: Path) -> None:
    """It passes SIGTERM on to them, but not its own end."""
    plan = TrainingPlan(**{**vars(PLAN), "num_epochs": 5000})
    job = TrainingJob("long", tiny_model_folder, tmp_path / "out", tmp_path / "curve", tmp_path, plan)
    write_store(EXAMPLES, tiny_tokenizer(), 64, job.tokens, "long")
    job.write(tmp_path / "job.json")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "stages.training.worker", str(tmp_path / "job.json")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NINECHAPTERS_CHECKPOINT_SECONDS": "0"}
    torchrun = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("checkpoint-*/whole")):
        assert torchrun.poll() is None
        time.sleep(0.1)
    processes = psutil.Process(torchrun.pid).children()
    assert len(processes) == 2
    torchrun.kill()
    torchrun.wait()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def test_muon_is_not_for_sharded_models(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NINECHAPTERS_FSDP", "1")
    plan = TrainingPlan(**{**vars(PLAN), "optimizer": "muon"})
    with pytest.raises(StageError, match="needs whole matrices"):
        train("t", [tiny_model_folder], EXAMPLES, plan, tmp_path / "out", tmp_path / "curve")


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    for lora in (None, LoraPlan(8, 16, 2)):
        job = TrainingJob("t", Path("base"), Path("out"), Path("curve"), tmp_path, PLAN, lora, keep_optimizer=True)
        job.write(tmp_path / "job.json")
        assert read_job(tmp_path / "job.json") == job
