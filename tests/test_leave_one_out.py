"""Does value foretell what training does? Each candidate is left out once, the model trained anew, and its loss on the
target measured: the change that the candidate truly makes, against its value at the start."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from scipy.stats import spearmanr

from stages.models.folders import load_model
from stages.models.tokenization import tokenize
from stages.problems.student_format import Example, student_example
from stages.value.gradients import reduced_gradients
from stages.value.influence import Cosines, mean_direction
from stages.value.reference import load_reference
from tests.tiny import tiny_tokenizer
from tests.valuing import plain_losses, write_reference

WORDS = ("apples", "trains", "primes", "angles", "coins", "clocks")


def problems_about(numbers: range, words: tuple[str, ...]) -> list[Example]:
    return [
        student_example(f"How many {words[i % len(words)]} are {i} and {i + 2}?", f"{i}+{i + 2}={2 * i + 2} {words[i % len(words)]}", "cot")
        for i in numbers
    ]  # fmt: skip


def losses(model: torch.nn.Module, examples: list) -> torch.Tensor:
    return plain_losses(model.base_model, examples)


def loss_after_training(
    base: Path, checkpoint: Path, candidates: list, weights: torch.Tensor, targets: list, num_steps: int, rate: float
) -> float:
    """The targets' loss after steps of gradient descent on the weighted sum of the candidates' losses."""
    model = PeftModel.from_pretrained(load_model(base), checkpoint, is_trainable=True).eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    for _ in range(num_steps):
        gradients = torch.autograd.grad((losses(model, candidates) * weights).sum(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate * gradient
    with torch.no_grad():
        return losses(model, targets).mean().item()


# Steps of the size of the usual gradient. Near the checkpoint a value is the change itself, to first order; 0.92 and 0.81
# were found, and 0.69 after four steps of 0.1, 0.14 after four of 0.3, where the random model's loss no longer falls.
@pytest.mark.parametrize(("num_steps", "rate", "least"), [(1, 0.01, 0.85), (4, 0.03, 0.7)])
@pytest.mark.slow
def test_value_foretells_the_change_of_the_targets_loss(
    tiny_model_folder: Path, tmp_path: Path, num_steps: int, rate: float, least: float
) -> None:
    checkpoint = write_reference(tiny_model_folder, tmp_path / "reference", ("checkpoint-1",)) / "checkpoint-1"
    examples, _ = tokenize(
        [*problems_about(range(20), WORDS), *problems_about(range(30, 38), WORDS[:2])], tiny_tokenizer(), 256
    )
    candidates, targets = examples[:20], examples[20:]
    reference = load_reference(tiny_model_folder, checkpoint, torch.device("cpu"))
    direction = {part: v.unsqueeze(1) for part, v in mean_direction(reference, targets, 512).items()}
    values, norms = torch.zeros(20), torch.zeros(20)
    for batch in reduced_gradients(reference, candidates, 512, Cosines(direction)):
        values[batch.indices], norms[batch.indices] = batch.rows_BF[:, 0], batch.norms_B
    # A value is a cosine: it foretells the change that a candidate makes with a gradient of the usual size.
    usual = torch.ones(20) / (20 * norms)

    def loss_with(weights: torch.Tensor) -> float:
        return loss_after_training(tiny_model_folder, checkpoint, candidates, weights, targets, num_steps, rate)

    with_all = loss_with(usual)
    changes = []
    for left_out in range(20):
        weights = usual.clone()
        weights[left_out] = 0
        changes.append(loss_with(weights) - with_all)
    assert spearmanr(values, changes).statistic > least
    assert max(changes) > 0, "some candidate lowers the targets' loss"
