"""Whether LoRA weights are of a model: those of another base cannot be merged, or give values that mean nothing.

misfit_of(model, {"model.layers.0.self_attn.q_proj": (a_RI, b_OR), ...})   -> "" or what does not fit

Two bases of the same layers cannot be told apart by this.

Shapes: I inputs, O outputs, R rank.
"""

from collections.abc import Sequence

import torch

Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]  # layer -> A (R, I), B (O, R)


def misfit_of(model: torch.nn.Module, pairs: Pairs) -> str:
    """Why the weights are not of this model, "" where they fit.

    They must fit each layer's shape, and no layer may be left out whose namesakes are adapted: the model is deeper then.
    """
    layers = dict(model.named_modules())
    for name, (a_RI, b_OR) in pairs.items():
        if name not in layers:
            return f"it adapts {name}, which this model does not have"
        layer, adapted = layers[name], (b_OR.shape[0], a_RI.shape[1])
        if isinstance(layer, torch.nn.Linear) and tuple(layer.weight.shape) != adapted:
            return f"it adapts {name} of {_times(adapted)} weights, this model's has {_times(layer.weight.shape)}"
    leaves = {_leaf(name) for name in pairs}
    left_out = [
        name
        for name, layer in layers.items()
        if isinstance(layer, torch.nn.Linear) and _leaf(name) in leaves and name not in pairs
    ]
    return f"it does not adapt {left_out[0]}, which this model has" if left_out else ""


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


def _times(shape: Sequence[int]) -> str:
    return " x ".join(f"{size:,}" for size in shape)
