"""Where a training job runs: in this process, in one process for each GPU here, or on a Ray cluster.

`RAY_ADDRESS` set: Ray Train, one worker for each GPU of the cluster, the job's folders on a file system that all nodes share; a
worker or node that is lost is replaced, and the run goes on from its last checkpoint. `NINECHAPTERS_PROCESSES` sets the
number of processes, on CPUs too. The weights do not depend on it but in the last bits: sums are added in another order.

A signal reaches the stage alone: it leaves a file `stop`, which the first process of the training sees after the step, wherever it runs.
"""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.distributed import TCPStore

from stages.core.command import StageError
from stages.core.interruption import finishing_first, note_kept, own_handlers
from stages.training.checkpoints import STOP, kept_text
from stages.training.job import TrainingJob, read_job
from stages.training.worker import INTERRUPTED, REFUSAL, end_with_parent, run_job

MAX_FAILURES = 3  # lost workers or nodes of a Ray cluster
LOOK_SECONDS = 0.1  # between two looks at the processes
WORKER = ["-m", "stages.training.worker"]


def launch(job: TrainingJob) -> None:
    """Run the job to its end; its outputs are whole or absent.

    Raises:
        KeyboardInterrupt: it was interrupted; a checkpoint is saved.
        StageError: what a process refuses; or one that failed, whose message stands above.
    """
    for name in (STOP, REFUSAL):
        (job.work / name).unlink(missing_ok=True)
    job.write(job.work / "job.json")
    try:
        _run(job, int(os.environ.get("NINECHAPTERS_PROCESSES", 0)))
    except KeyboardInterrupt:
        note_kept(kept_text(job.work), job.title)
        raise


def _run(job: TrainingJob, processes: int) -> None:
    if os.environ.get("RAY_ADDRESS"):
        _run_on_ray(job, processes)
    elif (processes or torch.cuda.device_count()) > 1:
        _run_here(job, processes or torch.cuda.device_count())
    else:
        run_job(job)


def _run_here(job: TrainingJob, processes: int) -> None:
    """In processes that end with this one, and of which none goes on without the others."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = {
        "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port,
        # As under torchrun: the store is here, and no process opens another.
        "TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": 0,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []
    with finishing_first(job.title, 0, (job.work / STOP).touch):
        try:
            for rank in range(processes):
                told = {name: str(value) for name, value in {**meeting, "RANK": rank, "LOCAL_RANK": rank}.items()}
                started.append(_start(job, {"OMP_NUM_THREADS": "1", **os.environ, **told}))
            status = _first_failure(started)
        finally:
            for process in started:
                process.kill()
            for process in started:
                process.wait()  # no checkpoint that is named afterwards is deleted by one
        if status == INTERRUPTED:
            raise KeyboardInterrupt
    if status:
        refusal = job.work / REFUSAL
        said = refusal.read_text(encoding="utf-8") if refusal.exists() else ""
        raise StageError(said or f"{job.title}: a process of {processes} failed; its message stands above.")


def _start(job: TrainingJob, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own, which Ctrl-C does not reach; the end of this process does."""
    command = [sys.executable, *WORKER, str(job.work / "job.json")]
    ends = functools.partial(end_with_parent, signal.SIGKILL)
    return subprocess.Popen(command, env=environment, preexec_fn=ends, start_new_session=True)


def _first_failure(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait until all have ended well, or one has not; its status, or 0."""
    while True:
        statuses = [process.poll() for process in processes]
        failures = [status for status in statuses if status]
        if failures and (set(failures) != {INTERRUPTED} or None not in statuses):
            return next((status for status in failures if status != INTERRUPTED), INTERRUPTED)
        if None not in statuses:
            return 0
        time.sleep(LOOK_SECONDS)


def _run_on_ray(job: TrainingJob, processes: int) -> None:
    from stages.core.cluster import connect

    ray = connect()
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpus = int(ray.cluster_resources().get("GPU", 0))
    workers = processes or gpus or 1
    trainer = TorchTrainer(
        _ray_worker,
        train_loop_config={"folder": str(Path.cwd()), "job": str((job.work / "job.json").resolve())},
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus > 0),
        run_config=RunConfig(
            name="run", storage_path=str((job.work / "ray").resolve()),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
        ),
    )  # fmt: skip
    with own_handlers(), finishing_first(job.title, 0, (job.work / STOP).touch):
        try:
            trainer.fit()
        except SystemExit as end:  # what Ray Train makes of Ctrl-C, when it has ended the workers
            raise KeyboardInterrupt from end
        except Exception as error:
            raise StageError(f"{job.title}: the training failed on the Ray cluster: {error}") from error
        if (job.work / STOP).exists():  # a worker was told to stop, and has saved its checkpoint
            raise KeyboardInterrupt


def _ray_worker(config: dict[str, Any]) -> None:
    os.chdir(config["folder"])
    job = read_job(Path(config["job"]))
    try:
        run_job(job)
    except KeyboardInterrupt:  # no failure, which Ray would heal
        (job.work / STOP).touch()


ROOT = Path(__file__).resolve().parent.parent.parent
