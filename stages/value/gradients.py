"""Exact per-example gradients of the LoRA parameters, for a batch at the cost of about one backward pass.

The LoRA update is merged into the frozen weights; a tap on each target layer keeps its input and the gradient of its
output, and every example's A and B gradients are two small matrix products of these. No weight gradient is formed.

    for ids, pieces in per_example_gradients(reference, examples, token_budget=4096):
        # pieces: one (len(ids), D_l) tensor for each LoRA matrix, in the order of reference.parameter_names

Shapes: B examples, T tokens, I inputs, O outputs, R rank, D = R * I or O * R numbers of one LoRA matrix.
For y = W x + s B A x and g = dLoss/dy:  dLoss/dB = s sum_t g_t (A x_t)^T,  dLoss/dA = s sum_t (B^T g_t) x_t^T.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftConfig
from safetensors.torch import load_file

from stages.core.command import StageError
from stages.training.models import PROVENANCE, load_model, to_device
from stages.training.packing import IGNORED, TokenizedExample

PREFIX = "base_model.model."


@dataclass
class Tap:
    """What one LoRA layer shows of a batch."""

    name: str
    a_RI: torch.Tensor
    b_OR: torch.Tensor
    input_BTI: torch.Tensor | None = None
    gradient_BTO: torch.Tensor | None = None


@dataclass
class Reference:
    """The reference model with its update merged, its taps, and AdamW's moments of each LoRA matrix."""

    model: torch.nn.Module
    taps: list[Tap]
    scale: float
    moments: dict[str, tuple[torch.Tensor, torch.Tensor]]  # parameter -> exp_avg, exp_avg_sq, flat
    num_steps: int
    betas: tuple[float, float]

    @property
    def parameter_names(self) -> list[str]:
        return [f"{tap.name}.lora_{matrix}" for tap in self.taps for matrix in "AB"]


def load_reference(base: Path, folder: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> Reference:
    """Merge the adapter in `folder` into `base` and put taps on its layers."""
    config = PeftConfig.from_pretrained(str(folder))
    scale = config.lora_alpha / config.r
    weights = load_file(folder / "adapter_model.safetensors")
    saved_moments = load_file(folder / "adam_moments.safetensors")
    provenance = json.loads((folder / PROVENANCE).read_text())
    model = load_model(base, dtype)
    model.requires_grad_(False)
    taps, moments = [], {}
    for key in sorted(key for key in weights if key.endswith(".lora_A.weight")):
        layer_name = key.removeprefix(PREFIX).removesuffix(".lora_A.weight")
        tap = Tap(layer_name, weights[key].to(dtype), weights[key.replace("lora_A", "lora_B")].to(dtype))
        layer = model.get_submodule(layer_name)
        layer.weight += scale * (tap.b_OR @ tap.a_RI)
        tap.a_RI, tap.b_OR = tap.a_RI.to(device), tap.b_OR.to(device)
        _attach(layer, tap)
        taps.append(tap)
        for matrix in "AB":
            stem = f"{PREFIX}{layer_name}.lora_{matrix}.default.weight"
            moments[f"{layer_name}.lora_{matrix}"] = (
                saved_moments[f"{stem}.exp_avg"].flatten().to(device, dtype),
                saved_moments[f"{stem}.exp_avg_sq"].flatten().to(device, dtype),
            )
    if not taps:
        raise StageError(f"{folder} has no LoRA weights. Run `dvc repro train_reference`.")
    betas = (float(provenance["adam_betas"][0]), float(provenance["adam_betas"][1]))
    return Reference(to_device(model, device).eval(), taps, scale, moments, provenance["num_steps"], betas)


def _attach(layer: torch.nn.Module, tap: Tap) -> None:
    def keep(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        tap.input_BTI = inputs[0].detach()

        def keep_gradient(gradient_BTO: torch.Tensor) -> None:
            tap.gradient_BTO = gradient_BTO

        output.register_hook(keep_gradient)

    layer.register_forward_hook(keep)


def batches_of(examples: list[TokenizedExample], token_budget: int) -> list[list[int]]:
    """Indices of the examples, sorted by length, in batches of at most `token_budget` padded tokens."""
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].input_ids), examples[i].input_ids))
    batches: list[list[int]] = []
    for i in order:
        length = len(examples[i].input_ids)
        if not batches or (len(batches[-1]) + 1) * length > token_budget:
            batches.append([])
        batches[-1].append(i)
    return batches


def per_example_gradients(
    reference: Reference, examples: list[TokenizedExample], token_budget: int
) -> Iterator[tuple[list[int], list[torch.Tensor]]]:
    """For each batch: the examples' indices and, for each LoRA matrix, their gradients, shape (B, D)."""
    device = reference.taps[0].a_RI.device
    for batch in batches_of(examples, token_budget):
        _backward(reference.model, [examples[i] for i in batch], device)
        pieces = []
        for tap in reference.taps:
            pieces += lora_gradients(tap, reference.scale)
            tap.input_BTI = tap.gradient_BTO = None
        yield batch, pieces


def _backward(model: torch.nn.Module, examples: list[TokenizedExample], device: torch.device) -> None:
    """Backward of the sum of the examples' mean output-token losses, down to the inputs of the first layer."""
    width = max(len(example.input_ids) for example in examples)
    input_ids = _padded([example.input_ids for example in examples], width, 0, device)
    mask = _padded([[1] * len(example.input_ids) for example in examples], width, 0, device)
    labels = _padded([example.labels for example in examples], width, IGNORED, device)
    embeddings = model.get_input_embeddings()(input_ids).requires_grad_()  # type: ignore[operator]
    logits_BTV = model(inputs_embeds=embeddings, attention_mask=mask, use_cache=False).logits[:, :-1]
    targets_BT = labels[:, 1:]
    losses_BT = torch.nn.functional.cross_entropy(
        logits_BTV.transpose(1, 2), targets_BT, ignore_index=IGNORED, reduction="none"
    )
    counts_B = (targets_BT != IGNORED).sum(dim=1).clamp(min=1)
    (losses_BT.sum(dim=1) / counts_B).sum().backward()


def _padded(rows: list[list[int]], width: int, fill: int, device: torch.device) -> torch.Tensor:
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=device)


def lora_gradients(tap: Tap, scale: float) -> list[torch.Tensor]:
    """The examples' gradients of A and of B, each flat: shapes (B, R * I) and (B, O * R)."""
    assert tap.input_BTI is not None
    assert tap.gradient_BTO is not None
    down_BTR = tap.gradient_BTO @ tap.b_OR
    a_BRI = scale * down_BTR.transpose(1, 2) @ tap.input_BTI
    b_BOR = scale * tap.gradient_BTO.transpose(1, 2) @ (tap.input_BTI @ tap.a_RI.T)
    return [a_BRI.flatten(1), b_BOR.flatten(1)]
