"""Where a training job runs: in this process, in one process for each GPU here, on all nodes of a Slurm allocation, in what torchrun or
srun has started (stages/training/meeting.py), or on a Ray cluster.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from stages.core.cluster import is_healed, sentence_of
from stages.core.command import StageError, say
from stages.core.environment import count_in
from stages.core.interruption import finishing_first, note_kept, own_handlers
from stages.core.slurm import nodes_here
from stages.training.checkpoints import STOP, STOPPED, kept_text
from stages.training.job import TrainingJob, read_job
from stages.training.meeting import Meeting
from stages.training.place import Place
from stages.training.worker import INTERRUPTED, REFUSAL, end_with_parent, refuse, run_job

JOB = "job.json"
MAX_FAILURES = 3  # lost workers or nodes of a Ray cluster
SIGNALLED = 128  # srun ends with it and the number of the signal that ended a task
LOOK_SECONDS = 0.1  # between two looks at the processes
WORKER = ["-m", "stages.training.worker"]


def launch(job: TrainingJob, meeting: Meeting | None = None) -> None:
    """Run the job to its end; its outputs are whole or absent. A meeting of several launches: this is the first one.

    Raises:
        KeyboardInterrupt: it was interrupted; a checkpoint is saved.
        StageError: what a process refuses; or one that failed, whose message stands above.
    """
    for name in (STOP, STOPPED, REFUSAL):
        (job.work / name).unlink(missing_ok=True)
    job.write(job.work / JOB)
    with _noting_what_is_kept(job):
        if meeting:
            meeting.tell_job(job.title, job.work / JOB)
            _run_here(job, meeting)
        else:
            _run(job, count_in("NINECHAPTERS_PROCESSES"))


def launch_told(title: str, meeting: Meeting) -> None:
    """Run this launch's processes of the job that the first one has prepared.

    Raises:
        KeyboardInterrupt, StageError: as `launch`.
    """
    job = read_job(meeting.told_job(title))
    with _noting_what_is_kept(job):
        _run_here(job, meeting)


@contextmanager
def _noting_what_is_kept(job: TrainingJob) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        note_kept(kept_text(job.work), job.title)
        raise


def _run(job: TrainingJob, processes: int) -> None:
    each = processes or torch.cuda.device_count()
    if os.environ.get("RAY_ADDRESS"):
        _run_on_ray(job, processes)
    elif (nodes := nodes_here()) > 1:
        _run_with_srun(job, nodes, each or 1)
    elif each > 1:
        _run_here(job, Meeting(Place()))
    else:
        run_job(job)


def _run_here(job: TrainingJob, meeting: Meeting) -> None:
    """In processes that end with this one, and of which none goes on without the others, wherever they run."""
    processes = meeting.place.num_processes
    started: list[subprocess.Popen[bytes]] = []
    status = 1
    with finishing_first(job.title, 0, (job.work / STOP).touch, at_once=(job.work / STOPPED).touch):
        try:
            for local in range(processes):
                started.append(_start(_worker(job), meeting.variables(local)))
            status = _first_failure(started, meeting, job.work / STOPPED)
        finally:
            for process in started:
                process.kill()
            for process in started:
                process.wait()  # no checkpoint that is named afterwards is deleted by one
            if status in (0, INTERRUPTED):
                meeting.part(job.title)
            else:
                meeting.tell_failure()
        if status == INTERRUPTED and not (job.work / REFUSAL).exists():
            raise KeyboardInterrupt
    if status:
        raise _failure(job, f"a process of {processes * meeting.place.size}", -status)


def _run_with_srun(job: TrainingJob, nodes: int, each: int) -> None:
    """In `each` processes on each node of this allocation; they know one another by Slurm's variables."""
    command = [
        "srun", f"--nodes={nodes}", f"--ntasks={nodes * each}", f"--ntasks-per-node={each}", f"--cpus-per-task={_cpus(each)}",
        "--kill-on-bad-exit=1", "--export=ALL", *_worker(job),
    ]  # fmt: skip
    with finishing_first(job.title, 0, (job.work / STOP).touch):
        try:
            srun = _start(command, dict(os.environ))
        except FileNotFoundError as error:
            raise StageError(
                f"{job.title}: this Slurm allocation has {nodes} nodes, but there is no srun to reach the others. Add "
                f"it to PATH, or set NINECHAPTERS_NODES=1 to train on this node alone."
            ) from error
        try:
            status = srun.wait()
        except KeyboardInterrupt:
            srun.terminate()  # which ends the tasks, wherever they are
            srun.wait()
            raise
    if status and (job.work / STOPPED).exists() and not (job.work / REFUSAL).exists():
        raise KeyboardInterrupt
    if status:
        raise _failure(job, f"one of {nodes * each} tasks on {nodes} nodes", status - SIGNALLED)


def _cpus(each: int) -> int:
    """Of a task: a node's CPUs in equal parts. Without it srun gives one to each."""
    return max(1, int(os.environ.get("SLURM_CPUS_ON_NODE") or len(os.sched_getaffinity(0))) // each)


def _failure(job: TrainingJob, who: str, number: int = 0) -> StageError:
    """What a process has refused; else who failed, or which signal, by its number, ended it: it has no message then."""
    refusal = job.work / REFUSAL
    if refusal.exists():
        return StageError(refusal.read_text(encoding="utf-8"))
    if number <= 0:
        return StageError(f"{job.title}: {who} failed; its message stands above.")
    names = {int(one): one.name for one in signal.Signals}
    why = " (often for want of memory)" if number == signal.SIGKILL else ""
    return StageError(
        f"{job.title}: {who} was ended by {names.get(number, f'signal {number}')}{why}. Run the same command again "
        f"(`dvc repro`) to continue from its last checkpoint."
    )


def _worker(job: TrainingJob) -> list[str]:
    return [sys.executable, *WORKER, str(job.work / JOB)]


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own, which Ctrl-C does not reach; the end of this process does."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ends = functools.partial(end_with_parent, signal.SIGKILL)
    told = {"OMP_NUM_THREADS": "1", **environment, "PYTHONPATH": paths}
    return subprocess.Popen(command, env=told, preexec_fn=ends, start_new_session=True)


def _first_failure(processes: list[subprocess.Popen[bytes]], meeting: Meeting, stopped: Path) -> int:
    """Wait until all have ended well, or one has not, here or in another launch; its status, or 0.

    Where one was interrupted, others may have failed for want of it: it has left the file `stopped` before they could.
    """
    while True:
        statuses = [process.poll() for process in processes]
        has_failed = None in statuses and meeting.has_failed()
        if stopped.exists():
            return INTERRUPTED
        failures = [status for status in statuses if status]
        if failures or has_failed:
            return next(iter(failures), 1)
        if None not in statuses:
            return 0
        time.sleep(LOOK_SECONDS)


def _run_on_ray(job: TrainingJob, processes: int) -> None:
    from stages.core.cluster import connect

    ray = connect()
    with own_handlers(), finishing_first(job.title, 0, (job.work / STOP).touch):
        for attempt in range(MAX_FAILURES + 1):
            try:
                _trainer_of(ray, job, processes, attempt).fit()
            except SystemExit as end:  # what Ray Train makes of Ctrl-C, when it has ended the workers
                raise KeyboardInterrupt from end
            except Exception as error:
                if (job.work / REFUSAL).exists():
                    raise _failure(job, "a worker") from None
                if attempt == MAX_FAILURES:
                    raise StageError(
                        f"{job.title}: the training lost a worker of the Ray cluster {attempt + 1} times: {error}"
                    ) from error
                say(f"{job.title}: a worker or node of the Ray cluster was lost; continuing from the last checkpoint")
            else:
                break
        if (job.work / STOP).exists():  # a worker was told to stop, and has saved its checkpoint
            raise KeyboardInterrupt


def _trainer_of(ray: Any, job: TrainingJob, processes: int, attempt: int) -> Any:
    """Ray Train, which does not try again by itself: it would, whatever the error."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpus = int(ray.cluster_resources().get("GPU", 0))
    return TorchTrainer(
        _ray_worker,
        train_loop_config={"folder": str(Path.cwd()), "job": str((job.work / JOB).resolve())},
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=processes or gpus or 1, use_gpu=gpus > 0),
        run_config=RunConfig(
            name=f"run-{attempt}", storage_path=str((job.work / "ray").resolve()),
            failure_config=FailureConfig(max_failures=0),
        ),
    )  # fmt: skip


def _ray_worker(config: dict[str, Any]) -> None:
    os.chdir(config["folder"])
    job = read_job(Path(config["job"]))
    try:
        run_job(job)
    except KeyboardInterrupt:  # no failure, which Ray would heal
        (job.work / STOP).touch()
    except Exception as error:
        if not is_healed(error):
            refuse(job, sentence_of(error))
        raise


ROOT = Path(__file__).resolve().parent.parent.parent
