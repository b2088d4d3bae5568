"""Attention of one new token over a cache whose keys serve several heads each, without copying them for each head.

    use_grouped_attention(model)

transformers repeats keys and values for their heads where there is a mask, as left padding needs: three times the cache, for
each layer and token. Here the heads of one key stand as rows beside each other. Longer inputs (prompts), models of one key a
head and masks of one a head are transformers' own matter. Options that change the scores are refused: a model that has them keeps
its own attention (stages/models/attention_options.py).

Shapes: B rows, H heads, K key heads, G = H / K, T tokens so far, d of a head.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from stages.models.attention_options import refuse_unknown

GROUPED = "ninechapters_grouped"


def use_grouped_attention(model: PreTrainedModel) -> None:
    """Where the model's attention is PyTorch's; a model that needs another keeps it."""
    if model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(GROUPED)


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    position_bias: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: query (B, H, 1, d), key and value (B, K, T, d), mask (B, 1, 1, T), which windows are in;
    gives (B, 1, H, d).

    Raises:
        StageError: the scores are more than scaled products.
    """
    refuse_unknown(options, "grouped attention")
    rows, heads, length, size = query.shape
    is_shared = attention_mask is None or attention_mask.shape[1] == 1
    if length > 1 or heads == key.shape[1] or position_bias is not None or not is_shared:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, position_bias=position_bias
        )
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], size)
    mask = None if attention_mask is None else attention_mask.expand(-1, -1, grouped.shape[2], -1)
    out = scaled_dot_product_attention(grouped, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling)
    return out.reshape(rows, 1, heads, size), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, sdpa_mask)
