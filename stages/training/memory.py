"""How a training fits a device's memory: tokens of a forward pass, gradient checkpointing, sharding (FSDP).

    fit(Shape.of(config), num_trained=7e9, num_frozen=0, plan=plan, num_devices=8, device=Device(72e9, is_cpu=False))

Bytes, from counts alone (the same arithmetic that `stages.project.plan` prints):

- weights, gradients and AdamW's two moments in float32: 16 a trained parameter, divided by the devices where sharded;
- activations without checkpointing, on a GPU in bfloat16: 18 hidden + 4 key-value + 8 intermediate bytes a layer and token
  (the inputs of each product and norm; as counted in arXiv 2205.05198 for another block); on a CPU in float32, without fused
  kernels: 32 hidden + 12 query + 8 key-value + 16 intermediate. With checkpointing the input of each layer, and one layer;
- logits at the learnt tokens: 10 bytes a number (bfloat16, float32, and the gradient of it), of one chunk where the head is
  plain (stages/models/token_losses.py).

A pass has MICRO_TOKENS where they fit. Where not, a CPU takes fewer, down to one row, before it computes layers twice; a GPU,
which many tokens fill better, computes twice first. A tiny model fits everywhere, so its bytes depend on no machine's memory;
those of a larger one may, in the last bits of sums.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stages.core.environment import count_in
from stages.core.files import json_in, write_json
from stages.core.machine_memory import free_bytes, total_bytes
from stages.models.shape import Shape
from stages.models.token_losses import CHUNK_LOGITS
from stages.training.batches import MICRO_TOKENS, Layout, layout_of
from stages.training.sections import TrainingPlan

STATE_BYTES = 16  # of a trained parameter
LOGIT_BYTES = 10
USABLE = 0.9  # of a GPU's memory; the rest goes to the allocator and the communication
# Of a CPU's: half of all, which is the same from run to run, and no more than most of what others leave.
CPU_SHARE, FREE_SHARE = 0.5, 0.8
KEPT_WAY = "forward_pass.json"
Way = tuple[int, bool]  # tokens of a forward pass, and whether layers are computed twice (gradient checkpointing)


@dataclass(frozen=True)
class Device:
    """What one process computes on."""

    num_bytes: float  # that a training may fill
    is_cpu: bool


@dataclass(frozen=True)
class Savings:
    has_checkpointing: bool
    is_sharded: bool

    def arguments(self) -> dict[str, Any]:
        """As transformers' TrainingArguments."""
        if self.has_checkpointing:
            return {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
        return {}

    def words(self) -> str:
        named = [("gradient checkpointing", self.has_checkpointing), ("FSDP", self.is_sharded)]
        return "".join(f", {name}" for name, is_on in named if is_on)


def activation_bytes(
    shape: Shape, tokens: int, has_checkpointing: bool, is_cpu: bool = False, has_plain_head: bool = True
) -> float:  # fmt: skip
    """Of one forward pass over so many tokens, kept for the backward pass."""
    inner = shape.intermediate_size * shape.num_experts_used
    if is_cpu:
        layer = 32 * shape.hidden_size + 12 * shape.num_query + 8 * shape.num_key_value + 16 * inner
    else:
        layer = 18 * shape.hidden_size + 4 * shape.num_key_value + 8 * inner
    border = (4 if is_cpu else 2) * shape.hidden_size
    kept = border * shape.num_layers + layer if has_checkpointing else layer * shape.num_layers
    num_logits = tokens * shape.vocab_size
    return float(tokens) * kept + LOGIT_BYTES * (min(num_logits, CHUNK_LOGITS) if has_plain_head else num_logits)


def state_bytes(num_trained: int, num_frozen: int, num_devices: int, is_cpu: bool = False) -> float:
    """Weights, gradients and the optimizer's state on each device; frozen weights in bfloat16, on a CPU in float32."""
    return (STATE_BYTES * num_trained + (4 if is_cpu else 2) * num_frozen) / num_devices


@dataclass(frozen=True)
class Fit:
    """How the rows of a step go through a device, what saves memory, and the bytes that it takes."""

    layout: Layout
    savings: Savings
    num_bytes: float
    micro_tokens: int

    def words(self) -> str:
        fewer = f", {self.micro_tokens:,} tokens a forward pass" if self.micro_tokens != MICRO_TOKENS else ""
        return fewer + self.savings.words()


def fit(
    shape: Shape, num_trained: int, num_frozen: int, plan: TrainingPlan, num_devices: int, device: Device,
    has_plain_head: bool = True, ways: Sequence[Way] = (),
) -> Fit:  # fmt: skip
    """The first of the ways to divide a step that fits, else the last; sharded where the state would fill three quarters.

    `ways`: those to choose from; without any, all.
    """
    is_sharded = num_devices > 1 and state_bytes(num_trained, num_frozen, 1, device.is_cpu) > 0.75 * device.num_bytes
    state = state_bytes(num_trained, num_frozen, num_devices if is_sharded else 1, device.is_cpu)
    for micro_tokens, has_checkpointing in ways or _ways(plan.max_length, device.is_cpu):
        layout = layout_of(plan, num_devices, micro_tokens)
        tokens = layout.micro_rows * plan.max_length
        needed = state + activation_bytes(shape, tokens, has_checkpointing, device.is_cpu, has_plain_head)
        if needed <= device.num_bytes:
            break
    return Fit(layout, Savings(has_checkpointing, is_sharded), needed, micro_tokens)


def _ways(max_length: int, is_cpu: bool) -> Iterator[Way]:
    """From the fastest to the smallest."""
    if not is_cpu:
        yield MICRO_TOKENS, False
    tokens = MICRO_TOKENS
    while True:
        yield tokens, not is_cpu
        if tokens <= max_length:
            break
        tokens = max(tokens // 2, max_length)
    if is_cpu:
        yield tokens, True


def fit_here(model: Any, plan: TrainingPlan, num_devices: int, work: Path, has_plain_head: bool) -> Fit:
    """The fit on this machine for a transformers model, or what PEFT made of one.

    A run that goes on keeps the way that it began with, which stands in its work folder. `NINECHAPTERS_MICRO_TOKENS`,
    `_GRADIENT_CHECKPOINTING` and `_FSDP` (0 or 1) decide else.
    """
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters()) - trained
    shape, device = Shape.of(model.config.to_dict()), device_here(num_devices)
    found = fit(shape, trained, frozen, plan, num_devices, device, has_plain_head, _told_ways(work))
    if num_devices == 1:
        write_json([found.micro_tokens, found.savings.has_checkpointing], work / KEPT_WAY)
    checkpointing = _told("NINECHAPTERS_GRADIENT_CHECKPOINTING", found.savings.has_checkpointing)
    return replace(found, savings=Savings(checkpointing, _told("NINECHAPTERS_FSDP", found.savings.is_sharded)))


def _told_ways(work: Path) -> list[Way]:
    """Those with the tokens that the environment says, or the one that a run began with; none where neither is told."""
    if told := count_in("NINECHAPTERS_MICRO_TOKENS"):
        return [(told, False), (told, True)]
    kept = json_in(work / KEPT_WAY)
    return [(int(kept[0]), bool(kept[1]))] if isinstance(kept, list) else []


def device_here(num_devices: int) -> Device:
    """This machine's GPU, or the share of its memory that each of so many processes on CPUs may fill.

    Several processes must agree, and what is free changes while they start: they go by all the memory alone.
    """
    if torch.cuda.is_available():
        return device_of(torch.cuda.get_device_properties(0).total_memory, is_cpu=False)
    whole = device_of(total_bytes() / num_devices, is_cpu=True)
    return replace(whole, num_bytes=min(whole.num_bytes, FREE_SHARE * free_bytes())) if num_devices == 1 else whole


def device_of(num_bytes: float, is_cpu: bool) -> Device:
    """A device of so much memory, or a process's part of a CPU's."""
    return Device((CPU_SHARE if is_cpu else USABLE) * num_bytes, is_cpu)


def _told(name: str, chosen: bool) -> bool:
    return os.environ[name] == "1" if os.environ.get(name) in ("0", "1") else chosen
