"""What transformers hands to an attention function beside queries, keys and values; what one does not know it refuses.

    refuse_unknown({"position_ids": ids, "softcap": 50.0}, "packed attention")     # StageError: capped scores

A function that swallows what it does not know gives wrong logits without a word: capped scores (Gemma 2), sinks (gpt-oss), biases
of positions, sparse attention (DeepSeek V3.2).
"""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from stages.core.command import StageError

# Of the whole model's call, on its way through all layers; no attention's scores depend on them.
HARMLESS = {
    "position_ids", "cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "lengths", "seq_idx", "output_attentions",
    "output_hidden_states", "output_router_logits", "num_items_in_batch", "use_cache", "cache_position", "logits_to_keep", "deterministic",
    "return_dict", "position_embeddings", "layer_idx",
}  # fmt: skip
WORDS = {
    "softcap": "capped scores (softcap)", "s_aux": "sinks (s_aux)", "sinks": "sinks (sinks)", "position_bias": "a bias of positions (position_bias)",
    "indices": "sparse attention (indices)", "block_indices": "sparse attention (block_indices)",
}  # fmt: skip
LOOKING = "ninechapters_looking"
LOOKED_AT = [0, 1]  # tokens


def refuse_unknown(options: Mapping[str, Any], who: str) -> None:
    """Raises StageError where an option that is given may change the scores."""
    unknown = sorted(name for name, given in options.items() if given is not None and name not in HARMLESS)
    if unknown:
        named = " and ".join(WORDS.get(name, f"an option {name!r}") for name in unknown)
        raise StageError(f"its attention has {named}, which {who} does not support")


def use_exact_attention(model: PreTrainedModel) -> None:
    """PyTorch's attention where the model asks no more of it, else the model's own (transformers' plainest).

    transformers' function for PyTorch's kernels takes windows as masks and a bias of positions; other options it swallows.
    """
    if model.config._attn_implementation != "sdpa":
        return
    model.set_attn_implementation(LOOKING)
    try:
        with torch.inference_mode():
            model(input_ids=torch.tensor([LOOKED_AT], device=model.device), use_cache=False)
        wanted = "sdpa"
    except StageError:
        wanted = "eager"
    except Exception:  # noqa: BLE001  # whatever a model raises that cannot be asked so; its own call will say it better
        wanted = "sdpa"
    model.set_attn_implementation(wanted)


def _looking_attention(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: torch.Tensor | None,
    dropout: float = 0.0, scaling: float | None = None, is_causal: bool | None = None, sliding_window: int | None = None,
    position_bias: torch.Tensor | None = None, **options: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    refuse_unknown(options, "PyTorch's attention")
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout, scaling, is_causal, position_bias=position_bias
    )


AttentionInterface.register(LOOKING, _looking_attention)
AttentionMaskInterface.register(LOOKING, sdpa_mask)
