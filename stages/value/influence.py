"""Value: how far a step on a candidate problem would go in the direction that the targets ask for.

*Value* is the paper's word for a candidate's influence score. As in LESS (arXiv 2402.04333, section 3): for candidate i
and target k, the cosine of the step T(g_i) and V_k, the mean of the target's normalised gradients, where T is AdamW's step
from the reference model's moments, or the gradient itself (SGD). Unlike LESS's code the moments are bias-corrected and
eps stands outside the root, as in AdamW itself.

Shapes: B examples, D numbers of a part, K targets.
"""

import math
from collections.abc import Iterator

import torch

from stages.models.tokenization import TokenizedExample
from stages.value.gradients import Precondition, reduced_gradients
from stages.value.reference import Reference

ADAM_EPS = 1e-8
TINY = 1e-30
# Targets' gradients are held whole until their norms are known: so many bytes of them at most, or one example's.
HELD_BYTES = 2 << 30
Directions = dict[str, torch.Tensor]  # part -> V_k of all targets, (D, K)


def adam_steps(reference: Reference) -> Precondition:
    """T of AdamW: the direction of its step on each gradient after the reference's training. May overwrite the gradient.

    The step (m / c1) / (sqrt(v / c2) + eps) with m = b1 m0 + (1 - b1) g and v = b2 v0 + (1 - b2) g^2, divided by the constant
    (1 - b1) / c1 * sqrt(c2 / (1 - b2)), which a direction does not have: one pass over the gradient less.
    """
    beta1, beta2 = reference.betas
    eps = ADAM_EPS * math.sqrt((1 - beta2 ** (reference.num_steps + 1)) / (1 - beta2))
    scaled = {
        part: (first * (beta1 / (1 - beta1)), second * (beta2 / (1 - beta2)))
        for part, (first, second) in reference.moments.items()
    }

    def step_of(part: str, piece_BD: torch.Tensor) -> torch.Tensor:
        first_D, second_D = scaled[part]
        root_BD = torch.addcmul(second_D, piece_BD, piece_BD).sqrt_().add_(eps)
        return piece_BD.add_(first_D).div_(root_BD)

    return step_of


def precondition_by(name: str, reference: Reference) -> Precondition | None:
    return adam_steps(reference) if name == "adam" else None


class Cosines:
    """A reduction to the cosines with K directions."""

    def __init__(self, directions: Directions) -> None:
        self.directions = directions
        self.lengths_K = torch.stack([(v * v).sum(dim=0) for v in directions.values()]).sum(dim=0).sqrt()

    def begin(self, num_examples: int, device: torch.device) -> None:
        self.dots_BK = torch.zeros(num_examples, len(self.lengths_K), device=device)
        self.squares_B = torch.zeros(num_examples, device=device)

    def add(self, part: str, piece_BD: torch.Tensor) -> None:
        self.dots_BK.addmm_(piece_BD, self.directions[part])
        self.squares_B += torch.linalg.vecdot(piece_BD, piece_BD)

    def rows(self) -> torch.Tensor:
        norms_B1 = self.squares_B.sqrt().clamp(min=TINY).unsqueeze(1)
        return self.dots_BK / (norms_B1 * self.lengths_K.clamp(min=TINY))


class Whole:
    """A reduction that keeps the gradients: the parts of a batch as they are, and no rows."""

    def begin(self, num_examples: int, device: torch.device) -> None:
        self.pieces: dict[str, torch.Tensor] = {}
        self.no_rows = torch.zeros(num_examples, 0, device=device)

    def add(self, part: str, piece_BD: torch.Tensor) -> None:
        self.pieces[part] = piece_BD

    def rows(self) -> torch.Tensor:
        return self.no_rows


def whole_gradients(
    reference: Reference, examples: list[TokenizedExample], token_budget: int, loss: str = "mean"
) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
    """For each batch the examples' indices and their gradients by part; within HELD_BYTES, or one example at a time."""
    most, whole = max(1, HELD_BYTES // (4 * reference.num_parameters)), Whole()
    for batch in reduced_gradients(reference, examples, token_budget, whole, loss=loss, max_examples=most):
        yield batch.indices, whole.pieces


def mean_direction(
    reference: Reference, examples: list[TokenizedExample], token_budget: int
) -> dict[str, torch.Tensor]:
    """V_k of one target, part -> (D,): the mean of the normalised gradients of its problems, in float32.

    Plain gradients, as in LESS; the mean or the sum of the token losses is the same after normalising.
    """
    total = {part: torch.zeros_like(first) for part, (first, _) in reference.moments.items()}
    for _, pieces in whole_gradients(reference, examples, token_budget):
        norms_B = torch.stack([torch.linalg.vecdot(p, p) for p in pieces.values()]).sum(dim=0).sqrt().clamp(min=TINY)
        for part, piece_BD in pieces.items():
            total[part] += (piece_BD / norms_B.unsqueeze(1)).sum(dim=0)
    return {part: piece / len(examples) for part, piece in total.items()}
