"""One process of a training job: load the model, train it on the job's token store, save it.

torchrun --nproc-per-node 8 -m stages.training.worker .work/pretrain-llama-1a2b3c4d/job.json
"""

import ctypes
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.core.usage import write_usage
from stages.models.folders import (
    load_model,
    load_tokenizer,
    parameter_count,
    save_model,
    size_and_trainings,
    stored_dtype,
    use_device,
)
from stages.training.job import TrainingJob, read_job
from stages.training.lora import ReferenceCheckpoints, lora_model, move_checkpoints
from stages.training.optimizer_state import OPTIMIZER_STATE, ContinuedOptimizer, save_optimizer_state
from stages.training.token_store import TokenStore
from stages.training.trainer import Trained, train_model

PR_SET_PDEATHSIG = 1


def run_job(job: TrainingJob) -> None:
    """Train and save; where several processes share the job, the first writes."""
    device = use_device()
    torch.manual_seed(job.plan.seed)
    store = TokenStore(job.tokens)
    if job.lora:
        trained = train_model(lora_model(job, device), store, job, [ReferenceCheckpoints(job)])
        if trained.trainer.is_world_process_zero():
            move_checkpoints(job)
    else:
        model = load_model(job.base)
        callbacks = []
        if job.continue_optimizer and (job.base / OPTIMIZER_STATE).exists():
            job = replace(job, plan=replace(job.plan, warmup_ratio=0.0))  # it is warm
            callbacks = [ContinuedOptimizer(job.base)]
        trained = train_model(model, store, job, callbacks)
        _save(trained, load_tokenizer(job.base), job)
    if trained.trainer.is_world_process_zero():
        figures = {key: trained.record[key] for key in ("num_tokens", "num_steps", "seconds")}
        write_usage("train", job.out, {**figures, "device": device.type})


def _save(trained: Trained, tokenizer: PreTrainedTokenizerBase, job: TrainingJob) -> None:
    trainer, record = trained.trainer, trained.record
    model = trainer.accelerator.unwrap_model(trainer.model)
    weights = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    provenance = {
        "base": job.base.as_posix(), "plan": asdict(job.plan), "num_parameters": parameter_count(model),
        **{key: record[key] for key in ("num_examples", "num_too_long", "num_tokens", "num_steps", "loss")},
        "trained": [
            *size_and_trainings(job.base)["trained"],
            {"training": job.title, "num_examples": record["num_examples"], "num_tokens": record["num_tokens"]},
        ],
    }  # fmt: skip
    state_folder = job.work / "optimizer"
    state_folder.mkdir(exist_ok=True)
    if job.keep_optimizer:
        save_optimizer_state(trainer, state_folder)
    if trainer.is_world_process_zero():
        # A state that is to be gone on with belongs to weights of full precision.
        dtype = model.dtype if job.keep_optimizer else stored_dtype(job.base)
        save_model(model, tokenizer, job.out, provenance, weights, sorted(state_folder.iterdir()), dtype)


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Let this process get that signal when its parent is killed: it would train on. (multiprocessing's: core/parallel.py)"""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


if __name__ == "__main__":
    end_with_parent(signal.SIGKILL)  # torchrun, which passes SIGTERM on to its processes, but not its own end
    try:
        run_job(read_job(Path(sys.argv[1])))
    except StageError as error:
        error.show()
        sys.exit(1)
