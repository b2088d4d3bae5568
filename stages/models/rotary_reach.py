"""Up to which position a model's rotary frequencies are the same for texts of every length.

    reach_of(config)                 # 4,096 for Phi-3-mini-128k (longrope), None for Llama, whose frequencies never change
    max_positions(config)            # what an engine or a training may use
    refuse_beyond_reach(model)       # from now on a longer text is a StageError

`dynamic` and `longrope` choose the frequencies of all texts of a call by the longest of them (transformers' modeling_rope_utils). Beyond
the original context a text's logits then depend on what it is packed or batched with, and keys in a cache are turned by other
frequencies than the queries. So such a model is used within its original context alone.
"""

from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from stages.core.command import StageError


def reach_of(config: PreTrainedConfig) -> int | None:
    """The number of positions; None where frequencies do not depend on lengths."""
    config = config.get_text_config()
    given = getattr(config, "rope_parameters", None) or {}
    kinds = [given] if "rope_type" in given else [one for one in given.values() if isinstance(one, dict)]
    reaches = [reach for kind in kinds if (reach := _reach(kind, config)) is not None]
    return min(reaches, default=None)


def _reach(parameters: dict[str, Any], config: PreTrainedConfig) -> int | None:
    """That of one kind of layers."""
    kind, positions = str(parameters.get("rope_type")), getattr(config, "max_position_embeddings", None)
    if "dynamic" in kind:
        return positions
    if kind == "longrope":
        return parameters.get("original_max_position_embeddings") or getattr(
            config, "original_max_position_embeddings", positions
        )
    return None


def max_positions(config: PreTrainedConfig) -> int | None:
    """The model's positions that are used; None: it tells no limit."""
    told = [getattr(config.get_text_config(), "max_position_embeddings", None), reach_of(config)]
    return min((number for number in told if number), default=None)


def refuse_longer(config: PreTrainedConfig, num_tokens: int, what: str) -> None:
    """Raises StageError where a text of so many tokens reaches too far; `what` says whose it is."""
    reach = reach_of(config)
    if reach is not None and num_tokens > reach:
        raise StageError(
            f"{what} has {num_tokens:,} tokens, and architecture {config.model_type} chooses its rotary frequencies by the longest text beyond "
            f"{reach:,}: texts in a batch would affect each other. Set max_length to at most {reach:,} in params.yaml, or "
            "use a model whose positions do not depend on lengths."
        )


def refuse_beyond_reach(model: PreTrainedModel) -> None:
    """Have each call of the model with positions beyond its reach raise StageError; other models stay as they are."""
    config = model.config
    if reach_of(config) is None:
        return

    def check(module: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        positions = named.get("position_ids", given[1] if len(given) > 1 else None)
        if positions is not None:
            refuse_longer(config, int(positions.max()) + 1, "a text")

    for module in model.modules():
        if hasattr(module, "rope_type") and hasattr(module, "original_max_seq_len"):
            module.register_forward_pre_hook(check, with_kwargs=True)
