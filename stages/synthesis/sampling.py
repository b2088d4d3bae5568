"""Drawing the next token from logits with random numbers that belong to the row, not to the batch.

    sample_tokens(logits_BV, uniforms_B, temperature=0.7, top_p=0.95) -> token ids, shape (B,)

Shapes: B rows of the batch, V vocabulary.
"""

import numpy as np
import torch


def uniform_numbers(seeds: list[int], count: int) -> torch.Tensor:
    """`count` uniform numbers in [0, 1) for each seed; float64, shape (len(seeds), count)."""
    return torch.from_numpy(np.stack([np.random.Generator(np.random.Philox(seed)).random(count) for seed in seeds]))


def sample_tokens(logits_BV: torch.Tensor, uniforms_B: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """Nucleus sampling by inverting the cumulative distribution; temperature 0 is greedy."""
    if temperature == 0:
        return logits_BV.argmax(dim=-1)
    probabilities_BV = torch.softmax(logits_BV / temperature, dim=-1)
    sorted_BV, order_BV = probabilities_BV.sort(dim=-1, descending=True, stable=True)
    cumulative_BV = sorted_BV.double().cumsum(dim=-1)
    is_kept_BV = cumulative_BV - sorted_BV.double() < top_p
    mass_B1 = (sorted_BV.double() * is_kept_BV).sum(dim=-1, keepdim=True)
    thresholds_B1 = uniforms_B.to(logits_BV.device).unsqueeze(1) * mass_B1
    ranks_B1 = (cumulative_BV <= thresholds_B1).sum(dim=-1, keepdim=True).clamp(max=logits_BV.shape[1] - 1)
    last_kept_B1 = is_kept_BV.sum(dim=-1, keepdim=True) - 1
    return order_BV.gather(1, torch.minimum(ranks_B1, last_kept_B1)).squeeze(1)
