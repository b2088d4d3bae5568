"""Muon for the hidden matrices and AdamW for the rest (embeddings, norms), as one torch optimizer.

Muon (Jordan 2024, in torch.optim since 2.9) orthogonalizes each matrix's momentum. In equal time the laptop student
solves more new problems with it than with AdamW at the best of four rates (`bench/compare_optimizers.py`; figures in
docs/performance.md). Its learning rate is twice AdamW's, by a coarse search.
"""

import math
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

from stages.models.folders import has_bf16
from stages.training.sections import TrainingPlan

MUON_LEARNING_RATE_FACTOR = 2.0


def build_optimizer(model: torch.nn.Module, plan: TrainingPlan) -> Optimizer:
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if plan.optimizer == "adamw":
        parameters = [p for _, p in trained]
        return AdamW(parameters, lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay)
    return MuonWithAdamW(trained, plan.learning_rate, plan.betas, plan.weight_decay)


class Float32Muon(Muon):
    """torch's Muon with its Newton-Schulz iteration in float32.

    torch's is in bfloat16, whatever the machine: where the CPU does not multiply in it, as most laptops do not, one product
    of 1920x128 with 128x512 takes 190 ms instead of 3 (measured), and Muon takes most of a step's time.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            rate, momentum = float(group["lr"]), group["momentum"]
            for parameter in group["params"]:
                gradient, state = parameter.grad, self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(gradient)
                buffer = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
                update = gradient.lerp(buffer, momentum) if group["nesterov"] else buffer
                update = orthogonalized(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
                parameter.mul_(1 - rate * group["weight_decay"])
                num_rows, num_columns = parameter.shape
                parameter.add_(update, alpha=-rate * math.sqrt(max(1.0, num_rows / num_columns)))


def orthogonalized(
    matrix: torch.Tensor, coefficients: tuple[float, float, float], num_steps: int, eps: float
) -> torch.Tensor:
    """About U V^T of the matrix U S V^T, by the quintic Newton-Schulz iteration (Jordan 2024), in the matrix's own type."""
    is_tall = matrix.size(0) > matrix.size(1)
    wide = matrix.T if is_tall else matrix
    wide = wide / wide.norm().clamp(min=eps)
    a, b, c = coefficients
    for _ in range(num_steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if is_tall else wide


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
            (Muon if has_bf16() else Float32Muon)(matrices, lr=rate, weight_decay=weight_decay),
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
