"""Value: how far a step on a candidate problem would go in the direction that the targets ask for.

*Value* is the paper's word for a candidate's influence score. As in LESS (arXiv 2402.04333, section 3): for
candidate i and target k, the cosine of AdamW's step on gradient g_i, from the reference model's moments, and the
mean of the target's normalised gradients. Unlike LESS's code the moments are bias-corrected and eps stands outside
the root, as in AdamW itself.
"""

from collections.abc import Iterable, Iterator

import torch

from stages.value.gradients import Reference

ADAM_EPS = 1e-8
Batches = Iterable[tuple[list[int], list[torch.Tensor]]]


def norms_of(pieces: list[torch.Tensor]) -> torch.Tensor:
    """The examples' norms over all LoRA matrices, shape (B,)."""
    return torch.stack([(piece * piece).sum(dim=1) for piece in pieces]).sum(dim=0).sqrt()


def mean_direction(batches: Batches, num_examples: int) -> list[torch.Tensor]:
    """V_k: the mean of the normalised gradients of a target's problems, one flat tensor for each LoRA matrix."""
    total: list[torch.Tensor] = []
    for _, pieces in batches:
        norms_B1 = norms_of(pieces).clamp(min=1e-30).unsqueeze(1)
        sums = [(piece / norms_B1).sum(dim=0) for piece in pieces]
        total = [a + b for a, b in zip(total, sums, strict=True)] if total else sums
    return [piece / num_examples for piece in total]


def adam_step(piece_BD: torch.Tensor, name: str, reference: Reference) -> torch.Tensor:
    """The direction of the step that AdamW would take on each gradient after the reference's training."""
    first_D, second_D = reference.moments[name]
    beta1, beta2 = reference.betas
    step = reference.num_steps + 1
    first_BD = (beta1 * first_D + (1 - beta1) * piece_BD) / (1 - beta1**step)
    second_BD = (beta2 * second_D + (1 - beta2) * piece_BD * piece_BD) / (1 - beta2**step)
    return first_BD / (second_BD.sqrt() + ADAM_EPS)


def candidate_values(
    batches: Batches, directions: dict[str, list[torch.Tensor]], reference: Reference
) -> Iterator[tuple[list[int], dict[str, list[float]]]]:
    """For each batch: the candidates' indices and their value for each target."""
    lengths = {
        target: torch.stack([(v * v).sum() for v in pieces]).sum().sqrt() for target, pieces in directions.items()
    }
    for batch, pieces in batches:
        steps = [adam_step(p, name, reference) for p, name in zip(pieces, reference.parameter_names, strict=True)]
        norms_B = norms_of(steps).clamp(min=1e-30)
        values = {}
        for target, direction in directions.items():
            dots_B = torch.stack([step @ v for step, v in zip(steps, direction, strict=True)]).sum(dim=0)
            values[target] = (dots_B / (norms_B * lengths[target])).tolist()
        yield batch, values
