"""Muon for the hidden matrices and AdamW for the rest (embeddings, norms), as one torch optimizer.

Muon (Jordan 2024, in torch.optim since 2.9) orthogonalizes each matrix's momentum. In equal time the laptop student
solves more new problems with it than with AdamW at the best of four rates (`bench/compare_optimizers.py`; figures in
docs/performance.md). Its learning rate is twice AdamW's, by a coarse search.
"""

from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

MUON_LEARNING_RATE_FACTOR = 2.0


class MuonWithAdamW(Optimizer):
    """`parameters` are (name, parameter) pairs; matrices that are not embeddings go to Muon."""

    def __init__(
        self,
        parameters: list[tuple[str, torch.nn.Parameter]],
        learning_rate: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        matrices = [p for name, p in parameters if is_hidden_matrix(name, p)]
        others = [p for name, p in parameters if not is_hidden_matrix(name, p)]
        rate = learning_rate * MUON_LEARNING_RATE_FACTOR
        self.parts: list[Optimizer] = [
            Muon(matrices, lr=rate, weight_decay=weight_decay),
            AdamW(others, lr=learning_rate, betas=betas, weight_decay=0.0),
        ]
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share_groups()

    def _share_groups(self) -> None:
        """One list of groups, the same dictionaries in the parts: a schedule's change of rate reaches both."""
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()


def is_hidden_matrix(name: str, parameter: torch.nn.Parameter) -> bool:
    return parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
