"""Attention over packed examples: each sees itself alone, and nothing is computed across their borders.

    use_packed_attention(model)
    model(input_ids=ids_1T, position_ids=positions_1T, lengths=[5, 9, 3], logits_to_keep=places_N)

All examples of a batch lie one behind the other in a single row without padding, T tokens; `lengths` are theirs. Where the
flash-attn package and a GPU are there, its kernel takes them (`cu_seq_lens_q`, as transformers calls the borders); else
PyTorch's causal attention is called for each example, whose cost grows with the square of an example's length, not of
the row's. transformers' own masks give the same logits (tested), at the cost of a mask of T x T.
"""

import importlib.util
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from stages.core.command import StageError

PACKED = "ninechapters_packed"
CHANGES = ("capped scores (softcap)", "sinks (s_aux)", "a bias of positions (position_bias)")  # of a model's own scores


def use_packed_attention(model: PreTrainedModel) -> None:
    has_flash = next(model.parameters()).is_cuda and importlib.util.find_spec("flash_attn") is not None
    model.set_attn_implementation("flash_attention_2" if has_flash else PACKED)


def borders(lengths: list[int], device: torch.device) -> dict[str, Any]:
    """What tells any of the kernels where examples end, as arguments of the model."""
    ends = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)
    longest = max(lengths)
    return {
        "lengths": lengths, "cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": longest, "max_length_k": longest,
    }  # fmt: skip


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    lengths: list[int],
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    position_bias: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: query (1, H, T, d), key and value (1, K, T, d); returns (1, T, H, d).

    Raises:
        StageError: an example is longer than the model's sliding window, or the scores are more than scaled products.
    """
    if changed := [
        name for name, given in zip(CHANGES, (softcap, s_aux, position_bias), strict=True) if given is not None
    ]:
        raise StageError(f"its attention has {' and '.join(changed)}, which packed attention does not have")
    if is_causal is False:
        raise StageError("its attention looks ahead, and packed attention does not")
    if sliding_window is not None and max(lengths) > sliding_window:
        raise StageError(
            f"an example of {max(lengths)} tokens is longer than the model's sliding window of {sliding_window}. "
            f"Set max_length to at most {sliding_window}."
        )
    is_grouped = query.shape[1] != key.shape[1]
    pieces = [
        scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=is_grouped)
        for q, k, v in zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    ]
    return torch.cat(pieces, dim=2).transpose(1, 2).contiguous(), None


AttentionInterface.register(PACKED, packed_attention)
