"""A model's weights in several processes: read once, told to the others, whole in each (DDP) or a part in each (FSDP 2).

    model = load_model(folder) if is_first() else empty_model(folder)
    spread(model, device, is_sharded=True)      # its parameters are DTensors now
    whole(parameter)                            # of a parameter or its moment; all processes take part

The first process reads the weights; the others have the same modules without any. Layer by layer they are sent, and where they are
sharded each process keeps its part before the next layer comes: a GPU holds one whole layer at most. All is torch's own
`fully_shard`, on CPUs (gloo) as on GPUs (NCCL), so that what is tested without a GPU is what runs on one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import init_empty_weights
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn import Module, Parameter
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from stages.models.folders import has_bf16
from stages.training.process_group import is_first


def empty_model(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """The modules of the folder's model, without weights; buffers that no file has are there."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with init_empty_weights(include_buffers=False):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    model.tie_weights()  # which has not lasted there
    return model


def spread(model: Module, device: torch.device, is_sharded: bool) -> None:
    """Give every process the first one's weights on its device, trained ones in float32: whole, or its part of them.

    The layers are sharded one by one; embeddings, last norm and head together, as two of them may be one matrix. Layers compute
    in bfloat16 where the machine does (as autocast has it; the norms' weights are rounded too), and gradients are summed in float32.
    """
    made: dict[int, tuple[Parameter, Parameter]] = {}  # with the old ones, whose ids stay theirs as long as they live
    if not is_sharded:
        _fill(model, device, made)
        return
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    in_bfloat16 = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    for layer in layers_of(model):
        _fill(layer, device, made)
        fully_shard(layer, mesh=mesh, mp_policy=in_bfloat16 if has_bf16() else MixedPrecisionPolicy())
    _fill(model, device, made)
    fully_shard(model, mesh=mesh)


def is_sharded(model: Module) -> bool:
    return isinstance(model, FSDPModule)


def layers_of(model: Module) -> Iterator[Module]:
    """The modules that are sharded each for itself: those that transformers never splits, else the longest list of layers."""
    inner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    names = set(getattr(inner, "_no_split_modules", None) or ())
    found = [(name, module) for name, module in model.named_modules() if type(module).__name__ in names]
    outer = [name for name, _ in found]
    if found:
        yield from (m for name, m in found if not any(name.startswith(f"{other}.") for other in outer))
    else:
        yield from max((m for m in model.modules() if isinstance(m, torch.nn.ModuleList)), key=len, default=())


def _fill(unit: Module, device: torch.device, made: dict[int, tuple[Parameter, Parameter]]) -> None:
    """Put the first process's weights in the place of what the unit has; a matrix that stands at two places stays one."""
    for module in unit.modules():
        for name, old in module._parameters.items():
            if old is None or isinstance(old, DTensor):
                continue
            if id(old) not in made:
                made[id(old)] = old, Parameter(_told(old, device), old.requires_grad)
            module._parameters[name] = made[id(old)][1]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _told(buffer, device)


def _told(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The first process's tensor."""
    dtype = torch.float32 if tensor.requires_grad else tensor.dtype
    if is_first() or not tensor.is_meta:
        told = tensor.detach().to(device, dtype).contiguous()
    else:
        told = torch.empty(tensor.shape, dtype=dtype, device=device)
    dist.broadcast(told, 0)
    return told


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor with its parts from all processes, which all take part; one at a time is held on the devices."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor.detach()


def whole_state(model: Module, dtype: torch.dtype | None = None, only_trained: bool = False) -> dict[str, torch.Tensor]:
    """The model's weights on the first process's CPU, in `dtype`; all processes take part, the others get nothing.

    A matrix that stands at two places stays one.
    """
    named: dict[str, torch.Tensor] = model.state_dict(keep_vars=True)
    made: dict[int, torch.Tensor | None] = {}
    for tensor in named.values():
        if id(tensor) not in made and (tensor.requires_grad or not only_trained):
            full = whole(tensor)
            to = dtype if full.is_floating_point() else None
            made[id(tensor)] = full.detach().to("cpu", to) if is_first() else None
    return {name: made[id(tensor)] for name, tensor in named.items() if made.get(id(tensor)) is not None}  # type: ignore[misc]


def part_of_first(
    tensor: torch.Tensor | None, shape: torch.Size, dtype: torch.dtype, like: torch.Tensor
) -> torch.Tensor:
    """The first process's tensor, placed as `like` is: the part of this process, or all of it.

    The others give None for the tensor, and what is known of it.
    """
    full = torch.empty(shape, dtype=dtype) if tensor is None else tensor
    full = full.to(like.device)
    if isinstance(like, DTensor):
        return distribute_tensor(full, like.device_mesh, like.placements)  # rank 0's
    if dist.is_initialized():
        dist.broadcast(full, 0)
    return full
