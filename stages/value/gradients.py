"""Exact per-example gradients of the LoRA parameters, for a batch at the cost of about one backward pass.

    for batch in reduced_gradients(reference, examples, token_budget, Cosines(directions)):
        batch.indices, batch.losses_B, batch.norms_B, batch.rows_BF

Nothing holds an example's gradient whole: as the backward pass reaches a layer, its taps form each example's gradients of
that layer's A and B, a *reduction* takes them in (dot products with the targets' directions, or a sketch), and they are
forgotten. No weight gradient is formed, and logits only where an output token is predicted, of a large vocabulary a chunk at
a time.

Examples are sorted by length and padded on the right, where causal attention cannot see the padding; so a row does not
depend on its batch, to about 1e-6 of its size in float32. On a GPU with bfloat16 the weights and activations are in it, the
loss and every reduction in float32.

Shapes: B examples, T tokens, N output tokens of the batch, V tokens of the vocabulary, D numbers of a part, F of a row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from stages.models.token_losses import weighted_loss
from stages.models.tokenization import IGNORED, TokenizedExample
from stages.value.reference import Reference

Precondition = Callable[[str, torch.Tensor], torch.Tensor]


class Reduction(Protocol):
    """What takes in the parts of a batch's gradients and gives one row for each example."""

    def begin(self, num_examples: int, device: torch.device) -> None: ...

    def add(self, part: str, piece_BD: torch.Tensor) -> None: ...

    def rows(self) -> torch.Tensor: ...


@dataclass(frozen=True)
class ReducedBatch:
    indices: list[int]  # of the examples
    losses_B: torch.Tensor  # mean negative log-likelihood of the output tokens
    norms_B: torch.Tensor  # of the gradients, before preconditioning
    rows_BF: torch.Tensor


def reduced_gradients(
    reference: Reference,
    examples: list[TokenizedExample],
    token_budget: int,
    reduction: Reduction,
    precondition: Precondition | None = None,
    loss: str = "mean",
    max_examples: int | None = None,
) -> Iterator[ReducedBatch]:
    """Reduce the examples' gradients batch by batch; `loss` is the mean or the sum over an example's output tokens."""
    for batch in batches_of(examples, token_budget, max_examples):
        squares_B = torch.zeros(len(batch), device=reference.device)
        reduction.begin(len(batch), reference.device)

        def receive(part: str, piece_BD: torch.Tensor, squares_B: torch.Tensor = squares_B) -> None:
            piece_BD = piece_BD.float()
            squares_B += torch.linalg.vecdot(piece_BD, piece_BD)
            reduction.add(part, precondition(part, piece_BD) if precondition else piece_BD)

        reference.listen(receive)
        try:
            losses_B = backward(reference, [examples[i] for i in batch], loss)
        finally:
            reference.listen(None)
        yield ReducedBatch(batch, losses_B, squares_B.sqrt(), reduction.rows())


def batches_of(examples: list[TokenizedExample], token_budget: int, max_examples: int | None = None) -> list[list[int]]:
    """Indices of the examples, sorted by length, in batches of at most `token_budget` padded tokens."""
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].input_ids), examples[i].input_ids))
    batches: list[list[int]] = []
    for i in order:
        length = len(examples[i].input_ids)
        is_full = not batches or len(batches[-1]) == max_examples or (len(batches[-1]) + 1) * length > token_budget
        if is_full:
            batches.append([])
        batches[-1].append(i)
    return batches


def backward(reference: Reference, examples: list[TokenizedExample], loss: str) -> torch.Tensor:
    """Backward of the sum of the examples' losses, down to the lowest tap; returns their mean token losses, (B,)."""
    outputs = output_states(reference.model, examples, reference.device)
    weights_N = (
        1 / outputs.counts_B[outputs.rows_N] if loss == "mean" else outputs.counts_B.new_ones(len(outputs.rows_N))
    )
    head: torch.nn.Module = reference.model.get_output_embeddings()  # type: ignore[operator]
    total, losses_N = weighted_loss(outputs.states_NI, head, outputs.labels_N, weights_N.float())
    total.backward()
    return outputs.means(losses_N)


@dataclass(frozen=True)
class OutputStates:
    """The last states at the places whose next token is output, of all examples of a batch."""

    states_NI: torch.Tensor
    labels_N: torch.Tensor
    rows_N: torch.Tensor  # the example that each belongs to
    counts_B: torch.Tensor  # of each example, at least 1

    def means(self, losses_N: torch.Tensor) -> torch.Tensor:
        """Each example's mean loss, (B,)."""
        return losses_N.new_zeros(len(self.counts_B)).index_add(0, self.rows_N, losses_N) / self.counts_B


def output_states(model: torch.nn.Module, examples: list[TokenizedExample], device: torch.device) -> OutputStates:
    width = max(len(example.input_ids) for example in examples)
    input_ids = padded([example.input_ids for example in examples], width, 0, device)
    labels_BT = padded([example.labels for example in examples], width, IGNORED, device)[:, 1:]
    states_BTI = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state[:, :-1]  # type: ignore[operator]
    is_output_BT = labels_BT != IGNORED
    counts_B = is_output_BT.sum(dim=1).clamp(min=1)
    return OutputStates(states_BTI[is_output_BT], labels_BT[is_output_BT], is_output_BT.nonzero()[:, 0], counts_B)


def padded(rows: list[list[int]], width: int, fill: int, device: torch.device) -> torch.Tensor:
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=device)
