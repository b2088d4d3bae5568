"""Losses whose logits are held a chunk at a time: the numbers and gradients of losses whose logits are held whole."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import CohereConfig, CohereForCausalLM, GraniteConfig, GraniteForCausalLM

from stages.models import token_losses
from stages.models.packed_agreement import has_plain_head
from stages.models.packed_attention import use_packed_attention
from stages.models.token_losses import loss_at_head, weighted_loss
from stages.problems.student_format import Example, student_prompt
from stages.training import packed_trainer
from stages.training.run import train
from stages.training.sections import TrainingPlan
from tests.look import curve
from tests.tiny import tiny_model

SIZES = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def losses_of(
    head: torch.nn.Linear, num_tokens: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> list[torch.Tensor]:
    """Total, losses, and the gradients of states and head."""
    monkeypatch.setattr(token_losses, "CHUNK_LOGITS", chunk)
    generator = torch.Generator().manual_seed(3)
    states = torch.randn(num_tokens, head.in_features, generator=generator, requires_grad=True)
    labels = torch.randint(head.out_features, (num_tokens,), generator=generator)
    weights = torch.rand(num_tokens, generator=generator)
    total, losses = weighted_loss(states, head, labels, weights)
    assert not losses.requires_grad
    parameters = [p for p in (states, *head.parameters()) if p.requires_grad]
    return [total.detach(), losses, *torch.autograd.grad(3 * total, parameters)]


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize(("num_tokens", "chunk"), [(1, 10), (7, 100), (40, 350), (64, 64 * 50 - 1)])
def test_chunks_change_nothing(
    has_bias: bool, is_frozen: bool, num_tokens: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last chunk is shorter, or one token alone is more than a chunk."""
    torch.manual_seed(0)
    head = torch.nn.Linear(12, 50, bias=has_bias).requires_grad_(not is_frozen)
    chunked, whole = (losses_of(head, num_tokens, size, monkeypatch) for size in (chunk, 1 << 30))
    assert len(chunked) == 3 + (0 if is_frozen else 1 + has_bias)
    torch.testing.assert_close(chunked, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1e4, 1e-30])
def test_a_token_of_no_probability_has_a_finite_loss(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_losses, "CHUNK_LOGITS", 8)
    head = torch.nn.Linear(4, 6, bias=False)
    states = size * torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 4])
    found = weighted_loss(states, head, labels, torch.ones(5))[1]
    torch.testing.assert_close(found, cross_entropy(head(states), labels, reduction="none"))
    assert found.isfinite().all()


def test_without_gradients_none_is_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_losses, "CHUNK_LOGITS", 8)
    head, states, labels = torch.nn.Linear(4, 6), torch.randn(5, 4), torch.arange(5)
    with torch.no_grad():
        total, losses = weighted_loss(states, head, labels, torch.ones(5))
    assert not total.requires_grad
    torch.testing.assert_close(losses, cross_entropy(head(states), labels, reduction="none"))


@pytest.mark.parametrize("is_bf16", [False, True])
@pytest.mark.parametrize("architecture", ["llama", "mixtral"])
def test_a_model_gives_the_loss_in_place_of_logits(
    architecture: str, is_bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tied embeddings get the gradients of both their uses, under autocast too; afterwards the model gives logits again."""
    model, ids, places = tiny_model(architecture), torch.arange(24).view(1, 24), torch.arange(3, 23)
    labels = ids[0, places + 1]
    use_packed_attention(model)
    inputs = {"input_ids": ids, "position_ids": ids, "lengths": [24], "use_cache": False, "logits_to_keep": places}
    gradients = []
    for chunk in (1 << 30, 300 * 6):
        monkeypatch.setattr(token_losses, "CHUNK_LOGITS", chunk)
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16), loss_at_head(model.lm_head, labels):
            total = model(**inputs).logits
        total.backward()
        gradients.append([total.detach(), *(p.grad.clone() for p in model.parameters())])
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if is_bf16 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(*gradients, **tolerance)
    assert model(**inputs).logits.shape == (1, 20, 300)


def test_heads_that_are_scaled_are_seen() -> None:
    """Their models' logits are more than the head's product; a chunk of it would be another loss."""
    assert has_plain_head(tiny_model("llama").eval())
    assert not has_plain_head(CohereForCausalLM(CohereConfig(**SIZES, logit_scale=0.25)).eval())
    assert not has_plain_head(GraniteForCausalLM(GraniteConfig(**SIZES, logits_scaling=4.0)).eval())


def test_a_training_in_chunks_learns_the_same(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = [Example(student_prompt(f"{i}+{i + 1}?", "cot"), f"{i}+{i + 1}={2 * i + 1}") for i in range(40)]
    plan = TrainingPlan(1, 1e-3, "adamw", 0.1, 0.2, 0.0, 3, 64, 1)
    counts = []

    def counted(head: torch.nn.Module, labels: torch.Tensor):  # type: ignore[no-untyped-def]
        counts.append(len(labels))
        return loss_at_head(head, labels)

    monkeypatch.setattr(packed_trainer, "loss_at_head", counted)
    for name, chunk in (("whole", 1 << 25), ("chunks", 300 * 20)):
        monkeypatch.setattr(token_losses, "CHUNK_LOGITS", chunk)
        train(name, [tiny_model_folder], examples, plan, tmp_path / name, tmp_path / f"{name}-curve")
        assert bool(counts) == (name == "chunks")
    for column in ("loss", "gradient_norm"):
        whole, chunks = (curve(tmp_path / f"{name}-curve", column) for name in ("whole", "chunks"))
        assert chunks == pytest.approx(whole, rel=2e-3)
        assert len({a for a, _ in pairwise(whole)}) > 3
