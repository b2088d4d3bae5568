"""One process of a training job: load the model, train it on the job's token store, save it.

    RANK=0 WORLD_SIZE=8 LOCAL_RANK=0 MASTER_ADDR=... MASTER_PORT=... python -m stages.training.worker .work/pretrain-llama-1a2b3c4d/job.json

It ends with 0 when the model is saved, with INTERRUPTED when it, or one without which it cannot go on, was interrupted, and with 1 after a
refusal. What was refused, and that one was interrupted, it leaves in the work folder for who started it.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.core.environment import amount_in
from stages.core.interruption import ending_signals
from stages.core.usage import write_usage
from stages.models.folders import (
    compute_dtype,
    load_model,
    load_tokenizer,
    parameter_count,
    save_model,
    size_and_trainings,
    stored_dtype,
)
from stages.training.checkpoints import STOPPED
from stages.training.job import TrainingJob, read_job
from stages.training.lora import ReferenceCheckpoints, copy_checkpoints, lora_model
from stages.training.meeting import task_meeting
from stages.training.optimizer_state import FOLDER, ContinuedOptimizer, save_optimizer_state, state_files
from stages.training.process_group import is_first, join, num_processes
from stages.training.sharding import empty_model, whole_state
from stages.training.token_store import TokenStore
from stages.training.trainer import Trained, train_model

PR_SET_PDEATHSIG = 1
INTERRUPTED = os.EX_TEMPFAIL
REFUSAL = "refusal.txt"


def run_job(job: TrainingJob) -> None:
    """Train and save; where several processes share the job, the first reads and writes."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_with_parent(signal.SIGKILL)  # torchrun, which passes SIGTERM on to its processes, but not its own end
    usd_per_gpu_hour = amount_in("NINECHAPTERS_USD_PER_GPU_HOUR", 0.0)  # what is wrong with it is told before the work
    device = join()
    torch.manual_seed(job.plan.seed)
    store = TokenStore(job.tokens)
    if job.lora:
        adapted = lora_model(job, _loaded(job.base, compute_dtype(device)))
        trained = train_model(adapted, store, job, [ReferenceCheckpoints(job)], device)
        if is_first():
            copy_checkpoints(job)
    else:
        # Of several processes each has its part in float32 in the end; what the first one reads need not be.
        dtype = stored_dtype(job.base) if num_processes() > 1 else torch.float32
        model = _loaded(job.base, dtype)
        callbacks = []
        if job.continue_optimizer and state_files(job.base):
            job = replace(job, plan=replace(job.plan, warmup_ratio=0.0))  # it is warm
            callbacks = [ContinuedOptimizer(job.base)]
        trained = train_model(model, store, job, callbacks, device)
        _save(trained, load_tokenizer(job.base), job)
    if is_first():
        figures = {key: trained.record[key] for key in ("num_tokens", "num_steps", "seconds")}
        write_usage(
            "train",
            job.out,
            {**figures, "device": device.type, **gpu_cost(device, figures["seconds"], usd_per_gpu_hour)},
        )


def gpu_cost(device: torch.device, seconds: float, usd_per_hour: float) -> dict[str, float]:
    """GPU-hours of all processes, each of which has a GPU, and their price in USD; nothing on CPUs."""
    hours = num_processes() * seconds / 3600 if device.type == "cuda" else 0.0
    return {"gpu_hours": hours, "usd": hours * usd_per_hour}


def _loaded(base: Path, dtype: torch.dtype) -> PreTrainedModel:
    return load_model(base, dtype) if is_first() else empty_model(base, dtype)


def _save(trained: Trained, tokenizer: PreTrainedTokenizerBase, job: TrainingJob) -> None:
    trainer, record = trained.trainer, trained.record
    model = trainer.accelerator.unwrap_model(trainer.model)
    # A state that is to be gone on with belongs to weights of full precision.
    dtype = model.dtype if job.keep_optimizer else stored_dtype(job.base)
    weights = whole_state(model, dtype) if trainer.is_sharded else None
    state_folder = job.work / FOLDER
    if job.keep_optimizer:
        state_folder.mkdir(exist_ok=True)
        save_optimizer_state(trainer, state_folder)
    if is_first():
        provenance = {
            "base": job.base.as_posix(), "plan": asdict(job.plan), "num_parameters": parameter_count(model),
            **{key: record[key] for key in ("num_examples", "num_too_long", "num_tokens", "num_steps", "loss")},
            "trained": [
                *size_and_trainings(job.base)["trained"],
                {"training": job.title, "num_examples": record["num_examples"], "num_tokens": record["num_tokens"]},
            ],
        }  # fmt: skip
        save_model(model, tokenizer, job.out, provenance, weights, [state_folder] if job.keep_optimizer else [], dtype)


def refuse(job: TrainingJob, sentence: str) -> None:
    """Leave why the training cannot be; the first process to refuse says it for all."""
    with suppress(FileExistsError), (job.work / REFUSAL).open("x", encoding="utf-8") as stream:
        stream.write(sentence)


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Let this process get that signal when its parent is killed: it would train on. (multiprocessing's: core/parallel.py)"""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def run_task(job: TrainingJob) -> None:
    """Run the job as one of the processes that torchrun's variables tell of, or Slurm's."""
    meeting = None if "RANK" in os.environ else task_meeting(job.title)
    if meeting:
        os.environ.update(meeting.variables(0))
    run_job(job)
    if meeting:
        meeting.part(job.title)


def status_of(job: TrainingJob) -> int:
    """Run the job as one process of several; the status that it ends with.

    Raises:
        Exception: it failed, and no process was interrupted.
    """
    was_stopped = (job.work / STOPPED).exists()  # by an earlier run, or before this process began
    try:
        with ending_signals():
            run_task(job)
    except KeyboardInterrupt:
        (job.work / STOPPED).touch()  # before the others notice that it is gone
        return INTERRUPTED
    except StageError as error:
        refuse(job, error.message)
        return 1
    except Exception:
        if (job.work / STOPPED).exists() and not was_stopped:
            return INTERRUPTED
        raise
    return 0


if __name__ == "__main__":
    sys.exit(status_of(read_job(Path(sys.argv[1]))))
