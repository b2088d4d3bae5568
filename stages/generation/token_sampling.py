"""Drawing the next token from logits with random numbers that belong to the row, not to the batch.

    uniforms = Uniforms([seed of each row], num_tokens=140)
    sample_tokens(logits_BV, uniforms.of(rows, step), temperature=0.7, top_p=0.95) -> token ids, shape (B,)

Nucleus sampling (Holtzman et al. 2020) by rejection: a token is drawn from the whole distribution, and is in the nucleus if the
tokens of a higher probability weigh less than top_p together. That takes no sorting, which takes three times as long as the
rest of the step on a CPU; a row that was refused TRIES times, as with a small top_p, is sorted. Tokens of the very same
probability are in the nucleus together.

Shapes: B rows of the batch, V vocabulary, R = TRIES + 1 random numbers for a token.
"""

import numpy as np
import torch

TRIES = 3


class Uniforms:
    """Random numbers in [0, 1) for each row and token; float64."""

    def __init__(self, seeds: list[int], num_tokens: int) -> None:
        count = num_tokens * (TRIES + 1)
        drawn = np.stack([np.random.Generator(np.random.Philox(seed)).random(count) for seed in seeds])
        self.numbers = torch.from_numpy(drawn).view(len(seeds), num_tokens, TRIES + 1)

    def of(self, rows: list[int], step: int) -> torch.Tensor:
        """The numbers of these rows for one token, (len(rows), R)."""
        return self.numbers[rows, step]


def sample_tokens(logits_BV: torch.Tensor, uniforms_BR: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """One token for each row; temperature 0 is greedy."""
    if temperature == 0:
        return logits_BV.argmax(dim=-1)
    probabilities_BV = torch.softmax(logits_BV / temperature, dim=-1)
    cumulative_BV = probabilities_BV.cumsum(dim=-1, dtype=torch.float64)
    uniforms_BR = uniforms_BR.to(logits_BV.device)
    drawn_B = _inverse(cumulative_BV, uniforms_BR[:, 0])
    if top_p >= 1:
        return drawn_B
    open_rows = torch.arange(len(drawn_B), device=drawn_B.device)
    for attempt in range(1, TRIES + 1):
        p_NV = probabilities_BV[open_rows] if attempt > 1 else probabilities_BV
        p_N1 = p_NV.gather(1, drawn_B[open_rows].unsqueeze(1))
        is_refused_N = (p_NV * (p_NV > p_N1)).sum(dim=-1, dtype=torch.float64) >= top_p
        open_rows = open_rows[is_refused_N]
        if not len(open_rows):
            return drawn_B
        if attempt < TRIES:
            drawn_B[open_rows] = _inverse(cumulative_BV[open_rows], uniforms_BR[open_rows, attempt])
    drawn_B[open_rows] = _sorted_nucleus(probabilities_BV[open_rows], uniforms_BR[open_rows, TRIES], top_p)
    return drawn_B


def _inverse(cumulative_BV: torch.Tensor, uniforms_B: torch.Tensor) -> torch.Tensor:
    """The token at which the cumulative distribution passes each number."""
    thresholds_B1 = uniforms_B.unsqueeze(1) * cumulative_BV[:, -1:]
    places_B1 = torch.searchsorted(cumulative_BV, thresholds_B1, right=True)
    return places_B1.squeeze(1).clamp(max=cumulative_BV.shape[1] - 1)


def _sorted_nucleus(probabilities_BV: torch.Tensor, uniforms_B: torch.Tensor, top_p: float) -> torch.Tensor:
    sorted_BV, order_BV = probabilities_BV.sort(dim=-1, descending=True, stable=True)
    cumulative_BV = sorted_BV.cumsum(dim=-1, dtype=torch.float64)
    sorted_BV = sorted_BV * (cumulative_BV - sorted_BV < top_p)
    ranks_B = _inverse(sorted_BV.cumsum(dim=-1, dtype=torch.float64), uniforms_B)
    return order_BV.gather(1, ranks_B.unsqueeze(1)).squeeze(1)
