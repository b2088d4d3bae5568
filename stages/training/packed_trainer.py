"""transformers' Trainer over packed rows: our optimizer and schedule, the loss of a whole step, and models that are sharded.

    trainer = PackedTrainer(plan, has_plain_head, model=model, args=arguments, train_dataset=rows, ...)

The optimizer and the schedule are built where the Trainer asks for them, over the parameters as they are then. accelerate shards on GPUs
alone, and gathers as it likes; a model that comes here sharded (stages/training/sharding.py) is neither wrapped nor saved by it.
"""

from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stages.core.files import json_in, write_json
from stages.models.token_losses import is_chunked, loss_at_head
from stages.training.divergence import DivergenceGuard
from stages.training.optimizer import build_optimizer
from stages.training.process_group import is_first, num_processes, of_all, of_the_first, rank
from stages.training.schedule import wsd_factor
from stages.training.sections import TrainingPlan
from stages.training.sharding import is_sharded
from stages.training.spread_state import load_parts, owned_parameters, save_parts, send_state

SCHEDULE = "scheduler.pt"  # the Trainer's name of it
OPEN_POINT = "open_point.json"


def base_model(model: Any) -> PreTrainedModel:
    """The transformers model inside, where PEFT wraps it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class PackedTrainer(Trainer):
    """Takes rows in their own order, and the mean loss over the learnt tokens of a whole step."""

    model: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(self, plan: TrainingPlan, has_plain_head: bool, **options: Any) -> None:
        super().__init__(**options)
        self.plan = plan
        self.has_plain_head = has_plain_head  # else logits are held whole
        self.head: Any = base_model(self.model).get_output_embeddings()
        self.loss_is_scaled_for_ga = True  # by the number of learnt tokens of the step
        self.router_weight = float(getattr(base_model(self.model).config, "router_aux_loss_coef", 0.0) or 0.0)
        self.guard = next(c for c in self.callback_handler.callbacks if isinstance(c, DivergenceGuard))
        self.is_sharded = is_sharded(self.model)
        self.add_callback(OpenPoint(self))
        if self.is_sharded:
            self.accelerator.prepare_model(self.model, device_placement=False, evaluation_mode=True)  # autocast alone
            self.model._is_accelerate_prepared = True  # so that it is not wrapped in DistributedDataParallel

    def create_optimizer(self, model: Any = None) -> Optimizer:
        if self.optimizer is None:
            self.optimizer = build_optimizer(self.model, self.plan)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> LambdaLR:
        if self.lr_scheduler is None:
            ratios = self.plan.warmup_ratio, self.plan.decay_ratio
            inner = getattr(self.optimizer, "optimizer", self.optimizer)  # accelerate wraps the optimizer
            self.lr_scheduler = LambdaLR(inner, lambda step: wsd_factor(step, num_training_steps, *ratios))
        return self.lr_scheduler

    def _move_model_to_device(self, model: Any, device: torch.device) -> None:
        if not is_sharded(model):  # else it is there
            super()._move_model_to_device(model, device)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> torch.utils.data.Sampler:
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)  # type: ignore[arg-type]

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:  # fmt: skip
        """The sum over this device's learnt tokens by the number of all in the step; the devices' losses are averaged."""
        labels = inputs.pop("labels")
        inputs.pop("shift_labels")
        router = {"output_router_logits": True} if self.router_weight else {}
        if self.has_plain_head and is_chunked(len(labels), self.head.weight.shape[0]):
            with loss_at_head(self.head, labels):
                outputs = model(**inputs, **router, use_cache=False)
            total = outputs.logits
        else:
            outputs = model(**inputs, **router, use_cache=False)
            total = torch.nn.functional.cross_entropy(outputs.logits[0].float(), labels, reduction="sum")
        loss = total / num_items_in_batch * self.accelerator.num_processes
        if self.router_weight:
            loss = loss + self.router_weight * outputs.aux_loss / self.args.gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        loss = super().training_step(*arguments, **options)
        self.guard.add(loss)
        return loss

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """A checkpoint's weights; of a sharded model with the optimizer's state, each process its part."""
        if self.is_sharded:
            save_parts(self.model, self.optimizer, Path(str(output_dir)))
        else:
            super().save_model(output_dir, _internal_call)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        losses = of_all(float(self._tr_loss))
        if is_first():
            point = {"last_step": self._globalstep_last_logged, "losses": losses}
            write_json(point, Path(self.args.output_dir or "") / f"checkpoint-{self.state.global_step}" / OPEN_POINT)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_sharded:
            super()._save_optimizer_and_scheduler(output_dir)
        elif is_first():
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        """Sharded weights come with the optimizer's state; DistributedDataParallel sends the first process's to the others."""
        if not self.is_sharded and is_first():
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or num_processes() == 1:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        if self.is_sharded:
            load_parts(self.model, self.optimizer, Path(checkpoint))
        else:
            states = None
            if is_first():
                super()._load_optimizer_and_scheduler(checkpoint)
                states = {name: part.state[p] for name, p, part in owned_parameters(self.model, self.optimizer)}
            send_state(self.model, self.optimizer, states)
        self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULE, weights_only=True))
        for group, rate in zip(self.optimizer.param_groups, self.lr_scheduler.get_last_lr(), strict=True):
            group["lr"] = rate


class OpenPoint(TrainerCallback):
    """Lets a resumed run go on with the mean loss of the curve's point that was not yet logged."""

    def __init__(self, trainer: PackedTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        folder = Path(args.output_dir or "") / f"checkpoint-{state.global_step}"
        point = of_the_first(lambda: json_in(folder / OPEN_POINT)) if state.global_step else None
        if point:
            losses = point["losses"]
            mine = losses[rank()] if len(losses) == num_processes() else sum(losses) / len(losses)
            self.trainer._tr_loss += mine
            self.trainer._globalstep_last_logged = point["last_step"]
