"""Where a training job runs: in this process, in one process for each GPU here (torchrun), or on a Ray cluster.

`RAY_ADDRESS` set: Ray Train, one worker for each GPU of the cluster, the job's folders on a file system that all nodes share; a
worker or node that is lost is replaced, and the run goes on from its last checkpoint. `NINECHAPTERS_PROCESSES` sets the
number of processes, on CPUs too. The weights do not depend on it but in the last bits: sums are added in another order.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch

from stages.core.command import StageError
from stages.core.interruption import PATIENCE_SECONDS, note_kept, own_handlers
from stages.training.checkpoints import kept_text
from stages.training.job import TrainingJob, read_job
from stages.training.worker import end_with_parent, run_job

MAX_FAILURES = 3  # lost workers or nodes of a Ray cluster


def launch(job: TrainingJob) -> None:
    """Run the job to its end; its outputs are whole or absent."""
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
        _run_with_torchrun(job, processes or torch.cuda.device_count())
    else:
        run_job(job)


def _run_with_torchrun(job: TrainingJob, processes: int) -> None:
    """In a session of its own: Ctrl-C reaches this process alone, which ends torchrun and with it the others."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
        "-m", "stages.training.worker", str(job.work / "job.json"),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, env=environment, preexec_fn=end_with_parent, start_new_session=True) as torchrun:
        try:
            status = torchrun.wait()
        except KeyboardInterrupt:
            _kill_family(torchrun.pid)  # its own way to end is a page of traceback
            raise
    if status:
        raise StageError(f"{job.title}: a process of {processes} failed; its message stands above.")


def _kill_family(pid: int) -> None:
    """Kill a process and its own, and wait until they are gone: no checkpoint that is named afterwards is deleted by one."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:  # it has ended in this moment
        return
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=PATIENCE_SECONDS)


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
    with own_handlers():
        try:
            trainer.fit()
        except SystemExit as end:  # what Ray Train makes of Ctrl-C, when it has ended the workers
            raise KeyboardInterrupt from end
        except Exception as error:
            raise StageError(f"{job.title}: the training failed on the Ray cluster: {error}") from error


def _ray_worker(config: dict[str, Any]) -> None:
    os.chdir(config["folder"])
    run_job(read_job(Path(config["job"])))


ROOT = Path(__file__).resolve().parent.parent.parent
