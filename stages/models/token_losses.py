"""The losses of tokens from a model's last states, its logits held a chunk at a time.

    total, losses_N = weighted_loss(states_NH, model.get_output_embeddings(), labels_N, weights_N)
    total.backward()

A vocabulary of 49,152 makes 200 KB of logits a token in float32, and cross-entropy holds them three times. Logits that fit in
one chunk are computed as ever. Of more, each chunk's part of the gradient is formed while its logits are there, as in Liger's
kernel (arXiv 2410.10989): no logits are kept, and none is computed twice.

    with loss_at_head(head, labels_N):
        total = model(input_ids=ids_1T, logits_to_keep=places_N).logits

has the model's own forward give the loss, so that whatever wraps the model (autocast, DDP, FSDP) sees the head's weights used
where it expects them.

Shapes: N tokens, C tokens of a chunk, H hidden size, V vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy, linear

CHUNK_LOGITS = 1 << 25  # 128 MB in float32; chunks of fewer than some 500 tokens slow the head's product


def is_chunked(num_tokens: int, vocab_size: int) -> bool:
    """Whether the logits of so many tokens are more than one chunk."""
    return num_tokens * vocab_size > CHUNK_LOGITS


def weighted_loss(
    states_NH: torch.Tensor, head: torch.nn.Module, labels_N: torch.Tensor, weights_N: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the tokens' weighted losses, which has a gradient, and each token's loss (N,), float32, which has none."""
    weight_VH: Any = head.weight
    if is_chunked(len(labels_N), len(weight_VH)):
        return _ChunkedLoss.apply(states_NH, weight_VH, getattr(head, "bias", None), labels_N, weights_N)
    logits_NV = linear(states_NH, weight_VH, getattr(head, "bias", None))
    losses_N = cross_entropy(logits_NV.float(), labels_N, reduction="none")
    return (losses_N * weights_N).sum(), losses_N.detach()


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, states_NH: torch.Tensor, weight_VH: torch.Tensor, bias_V: torch.Tensor | None,
        labels_N: torch.Tensor, weights_N: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        kind = states_NH.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states_NH.dtype
        given = (states_NH, weight_VH, bias_V)
        ctx.gradients = [
            torch.zeros_like(tensor) if tensor is not None and needed else None
            for tensor, needed in zip(given, ctx.needs_input_grad, strict=False)
        ]
        size = max(1, CHUNK_LOGITS // len(weight_VH))
        pieces = zip(*(tensor.split(size) for tensor in (states_NH, labels_N, weights_N)), strict=True)
        with torch.autocast(kind, enabled=False):
            cast = [None if tensor is None else tensor.to(dtype) for tensor in given[1:]]
            losses = [
                _chunk(states_CH.to(dtype), cast, labels_C, weights_C, number * size, ctx.gradients)
                for number, (states_CH, labels_C, weights_C) in enumerate(pieces)
            ]
        losses_N = torch.cat(losses)
        ctx.mark_non_differentiable(losses_N)
        return (losses_N * weights_N).sum(), losses_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        return *(None if one is None else one * scale for one in ctx.gradients), None, None


def _chunk(
    states_CH: torch.Tensor, head: list[Any], labels_C: torch.Tensor, weights_C: torch.Tensor, start: int,
    gradients: list[torch.Tensor | None],
) -> torch.Tensor:  # fmt: skip
    """The losses (C,) of the tokens from `start` on; what they give to the gradients of states, weight and bias is added."""
    scores_CV = torch.log_softmax(linear(states_CH, *head).float(), dim=1)
    losses_C = -scores_CV.gather(1, labels_C.unsqueeze(1)).squeeze(1)
    to_states, to_weight, to_bias = gradients
    if to_states is None and to_weight is None and to_bias is None:
        return losses_C
    scores_CV.exp_()  # from here on the gradient of the logits
    scores_CV[torch.arange(len(labels_C), device=labels_C.device), labels_C] -= 1
    scores_CV = scores_CV.mul_(weights_C.unsqueeze(1)).to(states_CH.dtype)
    if to_states is not None:
        to_states[start : start + len(labels_C)] = scores_CV @ head[0]
    if to_weight is not None and to_weight.dtype == states_CH.dtype:
        to_weight.addmm_(scores_CV.T, states_CH)
    elif to_weight is not None:
        to_weight += scores_CV.T @ states_CH
    if to_bias is not None:
        to_bias += scores_CV.sum(dim=0)
    return losses_C


@contextmanager
def loss_at_head(head: torch.nn.Module, labels_N: torch.Tensor) -> Iterator[None]:
    """Within it the model's forward gives the sum of the labels' losses in place of logits (1, N, V)."""

    def loss(states_1NH: torch.Tensor) -> torch.Tensor:
        ones_N = torch.ones(len(labels_N), device=labels_N.device)
        return weighted_loss(states_1NH[0], head, labels_N, ones_N)[0]

    own = head.forward
    head.forward = loss  # type: ignore[method-assign]
    try:
        yield
    finally:
        head.forward = own  # type: ignore[method-assign]
