"""Attention over packed examples: each sees itself alone, and nothing is computed across their borders.

    use_packed_attention(model)
    model(input_ids=ids_1T, position_ids=positions_1T, lengths=[5, 9, 3], logits_to_keep=places_N)

All examples of a batch lie one behind the other in a single row without padding, T tokens; `lengths` are theirs. Which kernel
computes it is chosen at each call, from where the queries are: on a GPU that can, flash-attn's for rows of several lengths, where
that package is there; else PyTorch's causal attention for each example, whose cost grows with the square of an example's length,
not of the row's. transformers' own masks give the same logits (tested), at the cost of a mask of T x T.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from stages.core.command import StageError
from stages.models.attention_options import refuse_unknown
from stages.models.rotary_reach import refuse_beyond_reach

PACKED = "ninechapters_packed"
FLASH_CAPABILITY = (8, 0)  # flash-attn 2 runs on Ampere and later,
FLASH_TYPES = (torch.bfloat16, torch.float16)  # in half precision,
FLASH_HEAD = 256  # with heads of at most so many numbers (its README)


def use_packed_attention(model: PreTrainedModel) -> None:
    """Examples that are longer than the model's reach are refused from then on (stages/models/rotary_reach.py)."""
    model.set_attn_implementation(PACKED)
    refuse_beyond_reach(model)


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
    cu_seq_lens_q: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: query (1, H, T, d), key and value (1, K, T, d); returns (1, T, H, d).

    Raises:
        StageError: the scores are more than scaled products within a window, or a mask is given.
    """
    refuse_unknown(options, "packed attention")
    if is_causal is False or (is_causal is None and not getattr(module, "is_causal", True)):
        raise StageError("its attention looks ahead, and packed attention does not")
    if attention_mask is not None:
        raise StageError("its attention has its own mask, which packed attention does not support")
    dtype = _kernel_dtype(query)
    if cu_seq_lens_q is not None and (flash := flash_kernel(query.device, dtype, query.shape[-1])):
        rows = (states[0].transpose(0, 1).to(dtype) for states in (query, key, value))  # (T, H, d)
        window = (-1, -1) if sliding_window is None else (sliding_window - 1, 0)
        out = flash(
            *rows, cu_seq_lens_q, cu_seq_lens_q, max(lengths), max(lengths), dropout_p=dropout, softmax_scale=scaling, causal=True,
            window_size=window,
        )  # fmt: skip
        return out.unsqueeze(0), None
    is_grouped = query.shape[1] != key.shape[1]
    pieces = [
        scaled_dot_product_attention(
            q, k, v, attn_mask=(band := _band(q.shape[2], sliding_window, q.device)), dropout_p=dropout, is_causal=band is None,
            scale=scaling, enable_gqa=is_grouped,
        )
        for q, k, v in zip(query.split(lengths, 2), key.split(lengths, 2), value.split(lengths, 2), strict=True)
    ]  # fmt: skip
    return torch.cat(pieces, dim=2).transpose(1, 2).contiguous(), None


def flash_kernel(device: torch.device, dtype: torch.dtype, head_size: int) -> Callable[..., torch.Tensor] | None:
    """flash-attn's kernel for rows of several lengths, where it is installed and takes such numbers on this device."""
    if device.type != "cuda" or dtype not in FLASH_TYPES or head_size > FLASH_HEAD:
        return None
    if torch.cuda.get_device_capability(device) < FLASH_CAPABILITY or importlib.util.find_spec("flash_attn") is None:
        return None
    return getattr(importlib.import_module("flash_attn"), "flash_attn_varlen_func", None)


def _kernel_dtype(query: torch.Tensor) -> torch.dtype:
    """The type that is computed in: autocast's, where it is on, as PyTorch's kernels have it."""
    kind = query.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype


def _band(length: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """The mask (length, length) of an example that is longer than the model's window; None: the causal one will do."""
    if window is None or length <= window:
        return None
    return torch.ones(length, length, dtype=torch.bool, device=device).tril().triu(1 - window)


AttentionInterface.register(PACKED, packed_attention)
