"""One training run from model folder to model folder, for the scripts that train all weights."""

from dataclasses import asdict
from pathlib import Path

import torch

from stages.core.usage import write_usage
from stages.core.work import finish_work
from stages.training.formats import Example
from stages.training.models import load_model, load_tokenizer, parameter_count, save_model, use_device
from stages.training.plan import TrainingPlan
from stages.training.trainer import train, write_curve


def train_and_save(
    base: Path, examples: list[Example], plan: TrainingPlan, out: Path, curve: Path, title: str, work: Path
) -> None:
    """Train the model in `base` on the examples; save it to `out` and its loss curve to `curve`."""
    device = use_device()
    torch.manual_seed(plan.seed)
    tokenizer = load_tokenizer(base)
    model = load_model(base)
    record, _ = train(model, tokenizer, examples, plan, title, work)
    write_curve(record, curve)
    provenance = {
        "base": base.as_posix(), "plan": asdict(plan), "num_parameters": parameter_count(model),
        **{key: record[key] for key in ("num_examples", "num_too_long", "num_tokens", "num_steps", "loss")},
    }  # fmt: skip
    save_model(model, tokenizer, out, provenance)
    figures = {key: record[key] for key in ("num_tokens", "num_steps", "seconds")}
    write_usage("train", out, {**figures, "device": device.type})
    finish_work(work)
