"""How much memory a training takes on each device, and what saves some: gradient checkpointing, sharding (FSDP).

    savings = choose_savings(Shape.of(config), num_trained=7e9, num_frozen=0, tokens=16_384, num_devices=8, device_bytes=80e9)
    state_bytes(7e9, 0, 8) + activation_bytes(Shape.of(config), 16_384, savings.has_checkpointing)

Bytes, from counts alone (the same arithmetic that `stages.project.plan` prints):

- weights, gradients and AdamW's two moments in float32: 16 a trained parameter, divided by the devices where sharded;
- activations without checkpointing, in bfloat16: 18 hidden + 4 key-value + 8 intermediate bytes a layer and token (the
  inputs of each product and norm; as counted in arXiv 2205.05198 for another block); with it 2 hidden a layer, and one layer;
- logits at the learnt tokens: 10 bytes a number (bfloat16, float32, and the gradient of it).
"""

import os
from dataclasses import dataclass
from typing import Any

import torch

from stages.models.shape import Shape
from stages.training.batches import Layout
from stages.training.sections import TrainingPlan

STATE_BYTES = 16  # of a trained parameter
LOGIT_BYTES = 10
USABLE = 0.9  # of a device's memory; the rest goes to the allocator and the communication


@dataclass(frozen=True)
class Savings:
    has_checkpointing: bool
    is_sharded: bool

    def arguments(self) -> dict[str, Any]:
        """As transformers' TrainingArguments."""
        given: dict[str, Any] = {}
        if self.has_checkpointing:
            given = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
        if self.is_sharded:
            given |= {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}
        return given

    def words(self) -> str:
        named = [("gradient checkpointing", self.has_checkpointing), ("FSDP", self.is_sharded)]
        return "".join(f", {name}" for name, is_on in named if is_on)


def activation_bytes(shape: Shape, tokens: int, has_checkpointing: bool) -> float:
    """Of one forward pass over so many tokens, kept for the backward pass."""
    layer = 18 * shape.hidden_size + 4 * shape.num_key_value + 8 * shape.intermediate_size * shape.num_experts_used
    kept = 2 * shape.hidden_size * shape.num_layers + layer if has_checkpointing else layer * shape.num_layers
    return float(tokens) * (kept + LOGIT_BYTES * shape.vocab_size)


def state_bytes(num_trained: int, num_frozen: int, num_devices: int) -> float:
    """Weights, gradients and the optimizer's state on each device; frozen weights in bfloat16."""
    return (STATE_BYTES * num_trained + 2 * num_frozen) / num_devices


def choose_savings(
    shape: Shape, num_trained: int, num_frozen: int, tokens: int, num_devices: int, device_bytes: float
) -> Savings:
    """Shard where the state alone would fill three quarters of a device; checkpoint where the rest does not fit."""
    is_sharded = num_devices > 1 and state_bytes(num_trained, num_frozen, 1) > 0.75 * USABLE * device_bytes
    state = state_bytes(num_trained, num_frozen, num_devices if is_sharded else 1)
    return Savings(state + activation_bytes(shape, tokens, False) > USABLE * device_bytes, is_sharded)


def savings_for(model: torch.nn.Module, config: dict[str, Any], plan: TrainingPlan, layout: Layout) -> Savings:
    """Chosen for this machine's GPU; `NINECHAPTERS_GRADIENT_CHECKPOINTING` and `NINECHAPTERS_FSDP` (0 or 1) decide else."""
    chosen = Savings(False, False)
    if torch.cuda.is_available():
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        frozen = sum(p.numel() for p in model.parameters()) - trained
        device_bytes = torch.cuda.get_device_properties(0).total_memory
        tokens = layout.micro_rows * plan.max_length
        chosen = choose_savings(Shape.of(config), trained, frozen, tokens, layout.num_devices, device_bytes)
    return Savings(
        _told("NINECHAPTERS_GRADIENT_CHECKPOINTING", chosen.has_checkpointing), _told("NINECHAPTERS_FSDP", chosen.is_sharded)
    )  # fmt: skip


def _told(name: str, chosen: bool) -> bool:
    return os.environ[name] == "1" if os.environ.get(name) in ("0", "1") else chosen
