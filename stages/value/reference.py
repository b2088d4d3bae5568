"""The reference model as value estimation reads it: LoRA merged, and a tap on each adapted layer.

    models/reference/checkpoint-1/   adapter_config.json, adapter_model.safetensors, adam_moments.safetensors,
                                     provenance.json: num_steps, adam_betas, learning_rate (mean since the last one)

Layers that read the same activations (q, k and v) share a tap, so that their A matrices are one matrix product. A tap
has a part for all its A matrices and one for each B; a part's gradient is flat, and a B lies transposed, R x O.

Shapes: B examples, T tokens, I inputs, O outputs, R rank, L layers of a tap, D numbers of a part.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig
from safetensors.torch import load_file

from stages.core.command import StageError
from stages.training.models import PROVENANCE, load_model, to_device

PREFIX = "base_model.model."
Receive = Callable[[str, torch.Tensor], None]  # a part's name and its gradients, (B, D)


@dataclass
class Tap:
    """The adapted layers that read one input, and what a batch shows of them. For y = W x + s B A x and g = dLoss/dy:

    dLoss/dB = sum_t g_t (s A x_t)^T,  dLoss/dA = sum_t (s B^T g_t) x_t^T.
    """

    layers: list[str]
    a_LRI: torch.Tensor  # s A of all layers, stacked: (L * R, I)
    b_RO: list[torch.Tensor]  # s B^T of each layer
    receive: Receive | None = None
    input_BTI: torch.Tensor | None = None
    gradients: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def part_names(self) -> list[str]:
        """Of the A part and of each B part."""
        return ["+".join(self.layers) + ".lora_A", *(f"{layer}.lora_B" for layer in self.layers)]

    def attach(self, model: torch.nn.Module) -> None:
        for number, layer in enumerate(self.layers):
            model.get_submodule(layer).register_forward_hook(self._forward_hook(number))

    def _forward_hook(self, number: int) -> Callable[..., None]:
        def keep_input(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            if self.receive is None:
                return
            self.input_BTI = inputs[0].detach()
            # The lowest layers' weights are frozen and nothing below is trained: here the backward pass ends.
            output.requires_grad_()
            output.register_hook(lambda gradient_BTO: self._arrive(number, gradient_BTO))

        return keep_input

    def _arrive(self, number: int, gradient_BTO: torch.Tensor) -> None:
        """Keep a layer's output gradient; with the last of the tap's layers, form the parts and forget all."""
        self.gradients[number] = gradient_BTO
        if len(self.gradients) < len(self.layers):
            return
        assert self.input_BTI is not None
        assert self.receive is not None
        x_BTI, gradients = self.input_BTI, [self.gradients[i] for i in range(len(self.layers))]
        self.input_BTI, self.gradients = None, {}
        num_examples, num_tokens = x_BTI.shape[:2]
        # Low-rank activations as (R, B * T): the skinny products are three times faster so than as (B * T, R), and the
        # outer products five times (measured, 2 CPU cores).
        downs = [b @ g.flatten(0, 1).T for b, g in zip(self.b_RO, gradients, strict=True)]
        down_RBT = (torch.cat(downs) if len(downs) > 1 else downs[0]).view(-1, num_examples, num_tokens)
        up_RBT = (self.a_LRI @ x_BTI.flatten(0, 1).T).view(-1, num_examples, num_tokens)
        name, *names = self.part_names
        self.receive(name, torch.bmm(down_RBT.transpose(0, 1), x_BTI).flatten(1))
        for name, up, gradient_BTO in zip(names, up_RBT.chunk(len(gradients)), gradients, strict=True):
            self.receive(name, torch.bmm(up.transpose(0, 1), gradient_BTO).flatten(1))


@dataclass
class Reference:
    """One checkpoint of the reference model, AdamW's state in it, and the mean rate of the steps that led to it."""

    model: torch.nn.Module
    taps: list[Tap]
    moments: dict[str, tuple[torch.Tensor, torch.Tensor]]  # part -> exp_avg, exp_avg_sq, each (D,)
    num_steps: int
    betas: tuple[float, float]

    @property
    def device(self) -> torch.device:
        return self.taps[0].a_LRI.device

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
        StageError: no LoRA weights, or a model whose logits are more than its head's product with the last states.
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
    taps = merge_and_tap(model, pairs, scale)
    provenance = provenance_of(checkpoint)
    betas = (float(provenance["adam_betas"][0]), float(provenance["adam_betas"][1]))
    return Reference(model, taps, load_moments(checkpoint, taps, device), provenance["num_steps"], betas)


def merge_and_tap(
    model: torch.nn.Module, pairs: dict[str, tuple[torch.Tensor, torch.Tensor]], scale: float
) -> list[Tap]:
    """Add scale * B A to each layer's frozen weight and tap the layers; `pairs`: layer -> A (R, I), B (O, R)."""
    model.eval().requires_grad_(False)
    for layer, (a_RI, b_OR) in pairs.items():
        weight_OI = model.get_submodule(layer).weight
        assert isinstance(weight_OI, torch.Tensor)
        weight_OI += scale * (b_OR @ a_RI)
    taps = []
    for group in shared_inputs(model, list(pairs)):
        a_LRI = scale * torch.cat([pairs[layer][0] for layer in group])
        taps.append(Tap(group, a_LRI, [scale * pairs[layer][1].T.contiguous() for layer in group]))
        taps[-1].attach(model)
    return taps


def shared_inputs(model: torch.nn.Module, layers: list[str]) -> list[list[str]]:
    """The layers in the order of a forward pass, those in one list that read the same tensor."""
    groups: list[tuple[torch.Tensor, list[str]]] = []

    def note(layer: str) -> Callable[..., None]:
        def hook(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], __: torch.Tensor) -> None:
            if groups and groups[-1][0] is inputs[0]:
                groups[-1][1].append(layer)
            else:
                groups.append((inputs[0], [layer]))

        return hook

    handles = [model.get_submodule(layer).register_forward_hook(note(layer)) for layer in layers]
    ids = torch.tensor([[1, 2, 3]], device=next(model.parameters()).device)
    with torch.no_grad():
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state  # type: ignore[operator]
        logits = model.get_output_embeddings()(states)  # type: ignore[operator]
        for handle in handles:
            handle.remove()
        whole = model(input_ids=ids, use_cache=False).logits
        if not torch.allclose(whole.float(), logits.float(), atol=1e-4, rtol=1e-2):
            raise StageError(f"{type(model).__name__} scales its logits, which value estimation does not know.")
    return [group for _, group in groups]


def load_moments(
    checkpoint: Path, taps: list[Tap], device: torch.device
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """AdamW's moments of each part, flat and in float32."""
    saved = load_file(checkpoint / "adam_moments.safetensors")

    def moment(layer: str, matrix: str, kind: str) -> torch.Tensor:
        return saved[f"{PREFIX}{layer}.lora_{matrix}.default.weight.{kind}"].float()

    moments = {}
    for tap in taps:
        name, *names = tap.part_names
        kinds = ("exp_avg", "exp_avg_sq")
        stacked = [torch.cat([moment(layer, "A", kind) for layer in tap.layers]) for kind in kinds]
        moments[name] = (stacked[0].flatten().to(device), stacked[1].flatten().to(device))
        for name, layer in zip(names, tap.layers, strict=True):
            pair = [moment(layer, "B", kind).T.flatten().to(device) for kind in kinds]
            moments[name] = (pair[0], pair[1])
    return moments
