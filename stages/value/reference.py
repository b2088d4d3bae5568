"""The reference model as value estimation reads it: LoRA merged, and a tap on each adapted layer.

    models/reference/checkpoint-1/   adapter_config.json, adapter_model.safetensors, adam_moments.safetensors,
                                     provenance.json: num_steps, adam_betas, learning_rate (mean since the last one)

A tapped layer's weight lies in one matrix with its adapter's, so that the low-rank activations come out of the same matrix
products as the layer's own, without reading the activations once more:

    M = [[W, s B], [s A, 0]]     forward: x M[:, :I]^T = (y, s A x)     backward: g M[:O] = (dx, s B^T g)

Each layer has two parts, lora_A and lora_B; a part's gradient is flat, and a B lies transposed, R x O.

Shapes: B examples, T tokens, I inputs, O outputs, R rank, D numbers of a part.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig
from safetensors.torch import load_file

from stages.core.command import StageError
from stages.models.folders import PROVENANCE, load_model, to_device
from stages.value.base_fit import Pairs, misfit_of

PREFIX = "base_model.model."
ALIGNMENT = 16  # bytes
Receive = Callable[[str, torch.Tensor], None]  # a part's name and its gradients, (B, D)


class Tap:
    """Takes the place of an adapted layer's forward, and shows each example's gradients as the backward pass reaches it.

    For y = W x + s B A x and g = dLoss/dy:  dLoss/dB = sum_t g_t (s A x_t)^T,  dLoss/dA = sum_t (s B^T g_t) x_t^T.
    """

    def __init__(self, name: str, layer: torch.nn.Linear, a_RI: torch.Tensor, b_OR: torch.Tensor, scale: float) -> None:
        self.name, self.bias = name, layer.bias
        self.num_outputs, self.num_inputs = layer.weight.shape
        corner_RR = a_RI.new_zeros(len(a_RI), len(a_RI))
        merged_OI = layer.weight + scale * (b_OR @ a_RI)
        self.matrix = torch.cat(
            [torch.cat([merged_OI, scale * b_OR], dim=1), torch.cat([scale * a_RI, corner_RR], dim=1)]
        )
        layer.weight.data = self.matrix[: self.num_outputs, : self.num_inputs]
        self.receive: Receive | None = None
        # What makes the lowest layers' outputs part of the graph: nothing below them is trained.
        self.root = torch.zeros((), device=self.matrix.device, requires_grad=True)
        layer.forward = self.forward  # type: ignore[method-assign, assignment]

    @property
    def part_names(self) -> tuple[str, str]:
        return f"{self.name}.lora_A", f"{self.name}.lora_B"

    @property
    def part_sizes(self) -> tuple[int, int]:
        rank = len(self.matrix) - self.num_outputs
        return rank * self.num_inputs, rank * self.num_outputs

    def forward(self, x_BTI: torch.Tensor) -> torch.Tensor:
        if self.receive is None or not torch.is_grad_enabled():
            weight_OI = self.matrix[: self.num_outputs, : self.num_inputs]
            return torch.nn.functional.linear(x_BTI, weight_OI, self.bias)
        y_BTO = _TappedProduct.apply(x_BTI, self.root, self)
        return y_BTO if self.bias is None else y_BTO + self.bias


class _TappedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BTI: torch.Tensor, root: torch.Tensor, tap: Tap) -> torch.Tensor:  # type: ignore[override]
        both = torch.nn.functional.linear(x_BTI, tap.matrix[:, : tap.num_inputs])
        ctx.tap, ctx.up_BTR = tap, both[..., tap.num_outputs :]
        ctx.save_for_backward(x_BTI)
        return aligned(both[..., : tap.num_outputs])

    @staticmethod
    def backward(ctx: Any, g_BTO: torch.Tensor) -> tuple[torch.Tensor | None, None, None]:  # type: ignore[override]
        tap, (x_BTI,) = ctx.tap, ctx.saved_tensors
        dx_BTI = None
        if ctx.needs_input_grad[0]:
            both = g_BTO @ tap.matrix[: tap.num_outputs]
            dx_BTI, down_BTR = aligned(both[..., : tap.num_inputs]), both[..., tap.num_inputs :]
        else:
            down_BTR = g_BTO @ tap.matrix[: tap.num_outputs, tap.num_inputs :]
        a_part, b_part = tap.part_names
        tap.receive(a_part, torch.bmm(down_BTR.transpose(1, 2), x_BTI).flatten(1))
        tap.receive(b_part, torch.bmm(ctx.up_BTR.transpose(1, 2), g_BTO).flatten(1))
        return dx_BTI, None, None


def aligned(rows_BTD: torch.Tensor) -> torch.Tensor:
    """Rows that begin at whole 16 bytes: flash attention on a GPU reads so many at once, and fails if a LoRA rank is in between."""
    is_aligned = rows_BTD.stride(-2) * rows_BTD.element_size() % ALIGNMENT == 0
    return rows_BTD if is_aligned else rows_BTD.contiguous()


@dataclass
class Reference:
    """One checkpoint of the reference model with AdamW's state in it."""

    model: torch.nn.Module
    taps: list[Tap]
    moments: dict[str, tuple[torch.Tensor, torch.Tensor]]  # part -> exp_avg, exp_avg_sq, each (D,)
    num_steps: int
    betas: tuple[float, float]

    @property
    def device(self) -> torch.device:
        return self.taps[0].matrix.device

    @property
    def num_parameters(self) -> int:
        return sum(first.numel() for first, _ in self.moments.values())

    def listen(self, receive: Receive | None) -> None:
        """Send each part's gradients of the backward passes to come to `receive`; None: stop."""
        for tap in self.taps:
            tap.receive = receive


def checkpoints_of(folder: Path) -> list[Path]:
    """The reference model's checkpoints, earliest first."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    if not found:
        raise StageError(f"{folder} has no checkpoint-1. Run `dvc repro train_reference`.")
    return found


def checkpoint_weights(checkpoints: list[Path]) -> list[float]:
    """Each checkpoint's share of a value: its mean learning rate over the sum of them, as in LESS."""
    rates = [float(provenance_of(path)["learning_rate"]) for path in checkpoints]
    return [rate / sum(rates) for rate in rates]


def provenance_of(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / PROVENANCE).read_text())


def load_reference(base: Path, checkpoint: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> Reference:
    """Merge the adapter in `checkpoint` into `base` and put taps on its layers.

    Raises:
        StageError: no LoRA weights, or weights of another base; or a model whose logits are more than its head's product
            with the last states.
    """
    config = PeftConfig.from_pretrained(str(checkpoint))
    scale = config.lora_alpha / config.r
    weights = {k: v.to(device, dtype) for k, v in load_file(checkpoint / "adapter_model.safetensors").items()}
    suffix = ".lora_A.weight"
    layers = [key.removeprefix(PREFIX).removesuffix(suffix) for key in weights if key.endswith(suffix)]
    if not layers:
        raise StageError(f"{checkpoint} has no LoRA weights. Run `dvc repro train_reference`.")
    pairs = {
        layer: (weights[f"{PREFIX}{layer}.lora_A.weight"], weights[f"{PREFIX}{layer}.lora_B.weight"])
        for layer in layers
    }
    model = to_device(load_model(base, dtype), device)
    if misfit := misfit_of(model, pairs):
        raise StageError(
            f"{checkpoint} belongs to another base than {base}: {misfit}. Name the base that it was trained on, or a reference "
            f"of this one."
        )
    taps = merge_and_tap(model, pairs, scale)
    provenance = provenance_of(checkpoint)
    betas = (float(provenance["adam_betas"][0]), float(provenance["adam_betas"][1]))
    return Reference(model, taps, load_moments(checkpoint, taps, device), provenance["num_steps"], betas)


def merge_and_tap(model: torch.nn.Module, pairs: Pairs, scale: float) -> list[Tap]:
    """Merge scale * B A into each layer and tap it.

    Raises:
        StageError: an adapted layer is not linear, or the model's logits are more than its head's product.
    """
    model.eval().requires_grad_(False)
    taps = []
    with torch.no_grad():
        for name, (a_RI, b_OR) in pairs.items():
            layer = model.get_submodule(name)
            if not isinstance(layer, torch.nn.Linear):
                raise StageError(
                    f"{name} is a {type(layer).__name__}; value estimation supports only adapters of Linear layers."
                )
            taps.append(Tap(name, layer, a_RI, b_OR, scale))
        check_logits(model)
    return taps


def check_logits(model: torch.nn.Module) -> None:
    """Logits are computed at output tokens alone, from the last states: refuse a model that does more with them."""
    ids = torch.tensor([[1, 2, 3]], device=next(model.parameters()).device)
    states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state  # type: ignore[operator]
    logits = model.get_output_embeddings()(states)  # type: ignore[operator]
    whole = model(input_ids=ids, use_cache=False).logits
    if not torch.allclose(whole.float(), logits.float(), atol=1e-4, rtol=1e-2):
        raise StageError(f"{type(model).__name__} scales its logits, which value estimation does not support.")


def load_moments(
    checkpoint: Path, taps: list[Tap], device: torch.device
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """AdamW's moments of each part, flat and in float32.

    Raises:
        StageError: the file has none for a part, or of another size: it is of other LoRA weights.
    """
    saved = load_file(checkpoint / "adam_moments.safetensors")

    def moment(tap: Tap, matrix: str, kind: str) -> torch.Tensor:
        name = f"{PREFIX}{tap.name}.lora_{matrix}.default.weight.{kind}"
        size = tap.part_sizes["AB".index(matrix)]
        if name not in saved or saved[name].numel() != size:
            raise StageError(
                f"{checkpoint}/adam_moments.safetensors does not have the {size:,} moments {name}: it does not belong "
                f"to these LoRA weights. Copy the whole checkpoint again, or run `dvc repro train_reference`."
            )
        return saved[name].float()

    moments = {}
    for tap in taps:
        a_part, b_part = tap.part_names
        first, second = (moment(tap, "A", kind).flatten().to(device) for kind in ("exp_avg", "exp_avg_sq"))
        moments[a_part] = (first, second)
        first, second = (moment(tap, "B", kind).T.flatten().to(device) for kind in ("exp_avg", "exp_avg_sq"))
        moments[b_part] = (first, second)
    return moments
