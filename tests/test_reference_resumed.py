"""A reference's training that is killed at its end, or goes on without what it wrote before, gives all checkpoints or none."""

import shutil
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.models.folders import load_tokenizer
from stages.training import worker
from stages.training.checkpoints import STOPPED
from stages.training.job import LoraPlan, TrainingJob
from stages.training.token_store import write_store
from tests.look import EXAMPLES, PLAN

COUNT = 4


@pytest.fixture
def job(tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingJob:
    """One that was killed while it recorded its usage: its checkpoints had their place, and DVC has deleted them there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NINECHAPTERS_CHECKPOINT_SECONDS", "0")
    (tmp_path / "work").mkdir()
    job = TrainingJob(
        "t", tiny_model_folder, tmp_path / "out", tmp_path / "curve", tmp_path / "work", PLAN, LoraPlan(2, 4, COUNT)
    )
    write_store(EXAMPLES, load_tokenizer(tiny_model_folder), PLAN.max_length, job.tokens, "t")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "write_usage", _killed)
        with pytest.raises(KeyboardInterrupt):
            worker.run_job(job)
    assert len(list(job.out.iterdir())) == COUNT
    shutil.rmtree(job.out)
    return job


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_all_checkpoints_come_again(job: TrainingJob) -> None:
    worker.run_job(job)
    assert sorted(path.name for path in job.out.iterdir()) == [f"checkpoint-{number}" for number in range(1, COUNT + 1)]
    assert all((path / "adam_moments.safetensors").is_file() for path in job.out.iterdir())


def test_it_does_not_go_on_without_an_earlier_one(job: TrainingJob) -> None:
    shutil.rmtree(job.work / "reference/checkpoint-2")
    with pytest.raises(StageError, match=r"reference lacks checkpoint-2, and .* RESUME=0 to start again"):
        worker.run_job(job)
    assert not job.out.exists()


def test_a_price_that_is_no_number_is_told_before_the_work(job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_USD_PER_GPU_HOUR", "2,50")
    with pytest.raises(StageError, match="NINECHAPTERS_USD_PER_GPU_HOUR"):
        worker.run_job(job)
    assert not job.out.exists()


def test_tokens_that_a_power_cut_took_are_written_again(job: TrainingJob) -> None:
    path = job.tokens / "tokens-00000.bin"
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    write_store(EXAMPLES, load_tokenizer(job.base), PLAN.max_length, job.tokens, "t")
    assert path.read_bytes() == content


def test_what_an_earlier_run_left_does_not_hide_a_failure(job: TrainingJob) -> None:
    (job.work / STOPPED).touch()
    (job.tokens / "store.json").unlink()
    with pytest.raises(FileNotFoundError):
        worker.status_of(job)
