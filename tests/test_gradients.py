"""Per-example gradients and values against a float64 brute force, and their independence of batches."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from scipy.stats import spearmanr

from stages.core.command import StageError
from stages.models import token_losses
from stages.models.folders import load_model
from stages.models.tokenization import tokenize
from stages.value.base_fit import Pairs, misfit_of
from stages.value.gradients import batches_of, reduced_gradients
from stages.value.influence import Cosines, adam_steps, mean_direction, precondition_by, whole_gradients
from stages.value.projection import CountSketch, decode, encode
from stages.value.reference import Tap, checkpoint_weights, checkpoints_of, load_reference
from stages.value.similarity import mean_losses
from tests.tiny import tiny_model, tiny_tokenizer
from tests.valuing import BETAS, EXAMPLES, STEPS, as_brute_force, brute_force, plain_losses, write_reference

NUM_TARGETS = 8


@pytest.fixture(scope="module")
def reference_folder(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reference(tiny_model_folder, tmp_path_factory.mktemp("reference") / "reference")


@pytest.fixture(scope="module")
def compared(tiny_model_folder: Path, reference_folder: Path):
    tokenized, _ = tokenize(EXAMPLES, tiny_tokenizer(), 256)
    checkpoint = reference_folder / "checkpoint-1"
    brute = brute_force(tiny_model_folder, checkpoint, tokenized)
    return tokenized, brute, load_reference(tiny_model_folder, checkpoint, torch.device("cpu"))


def expected_values(brute: torch.Tensor, checkpoint: Path, preconditioner: str) -> list[float]:
    """The candidates' cosines with the mean direction of the first NUM_TARGETS examples, all in float64."""
    moments = load_file(checkpoint / "adam_moments.safetensors")
    names = sorted({name.rsplit(".", 1)[0] for name in moments})
    first, second = (
        torch.cat([moments[f"{name}.{kind}"].flatten() for name in names]).double()
        for kind in ("exp_avg", "exp_avg_sq")
    )
    targets, candidates = brute[:NUM_TARGETS], brute[NUM_TARGETS:]
    direction = (targets / targets.norm(dim=1, keepdim=True)).mean(dim=0)
    steps = candidates
    if preconditioner == "adam":
        step = STEPS[checkpoint.name] + 1
        m = (BETAS[0] * first + (1 - BETAS[0]) * candidates) / (1 - BETAS[0] ** step)
        v = (BETAS[1] * second + (1 - BETAS[1]) * candidates**2) / (1 - BETAS[1] ** step)
        steps = m / (v.sqrt() + 1e-8)
    return torch.nn.functional.cosine_similarity(steps, direction, dim=1).tolist()


def found_values(reference, examples, preconditioner: str, budget: int = 300, order: list[int] | None = None):
    direction = mean_direction(reference, examples[:NUM_TARGETS], budget)
    cosines = Cosines({part: piece.unsqueeze(1) for part, piece in direction.items()})
    candidates = examples[NUM_TARGETS:]
    order = order or list(range(len(candidates)))
    values = [0.0] * len(candidates)
    for batch in reduced_gradients(
        reference, [candidates[i] for i in order], budget, cosines, precondition_by(preconditioner, reference)
    ):
        for i, row in zip(batch.indices, batch.rows_BF.tolist(), strict=True):
            values[order[i]] = row[0]
    return values


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_gradients_equal_brute_force(compared, tiny_model_folder: Path, reference_folder: Path, loss: str) -> None:
    tokenized, brute, reference = compared
    if loss == "sum":
        brute = brute_force(tiny_model_folder, reference_folder / "checkpoint-1", tokenized, loss)
    seen = []
    for batch, pieces in whole_gradients(reference, tokenized, 512, loss):
        torch.testing.assert_close(as_brute_force(reference, pieces).double(), brute[batch], rtol=1e-3, atol=2e-5)
        seen += batch
    assert sorted(seen) == list(range(len(tokenized)))


@pytest.mark.parametrize("preconditioner", ["adam", "sgd"])
def test_values_do_not_depend_on_chunks_of_logits(
    compared, preconditioner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenized, _, reference = compared
    whole = found_values(reference, tokenized, preconditioner)
    monkeypatch.setattr(token_losses, "CHUNK_LOGITS", 300 * 7)
    assert found_values(reference, tokenized, preconditioner) == pytest.approx(whole, abs=2e-6)
    assert mean_losses(reference.model, tokenized) == pytest.approx(
        plain_losses(reference.model, tokenized).tolist(), rel=1e-5
    )


def test_taps_leave_the_model_as_it_was(compared, tiny_model_folder: Path, reference_folder: Path) -> None:
    tokenized, _, reference = compared
    merged = PeftModel.from_pretrained(load_model(tiny_model_folder), reference_folder / "checkpoint-1").eval()
    ids = torch.tensor([tokenized[0].input_ids])
    with torch.no_grad():
        torch.testing.assert_close(
            reference.model(input_ids=ids).logits, merged(input_ids=ids).logits, rtol=1e-4, atol=1e-4
        )
    assert len(reference.taps) == 2 * 7


def test_biases_are_kept(tiny_model_folder: Path) -> None:
    layer = torch.nn.Linear(6, 4)
    before, x = layer.weight.clone(), torch.randn(2, 3, 6)
    with torch.no_grad():
        tap = Tap("layer", layer, torch.randn(2, 6), torch.zeros(4, 2), 1.0)
    expected = torch.nn.functional.linear(x, before, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    seen = []
    tap.receive = lambda part, piece: seen.append((part, piece.shape))
    torch.testing.assert_close(layer(x), expected)
    layer(x).sum().backward()
    assert seen == [("layer.lora_A", (2, 12)), ("layer.lora_B", (2, 8))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_begin_at_whole_16_bytes_whatever_the_rank(dtype: torch.dtype) -> None:
    """An H200's flash attention failed with "misaligned address" on the values of a layer with rank 4."""
    for rank in range(1, 18):
        layer, gradients = torch.nn.Linear(16, 8, bias=False, dtype=dtype), []
        with torch.no_grad():
            tap = Tap("layer", layer, torch.randn(rank, 16, dtype=dtype), torch.randn(8, rank, dtype=dtype), 1.0)
        tap.receive = lambda part, piece: None
        x = torch.randn(2, 3, 16, dtype=dtype, requires_grad=True) * 1
        x.register_hook(gradients.append)
        y = layer(x)
        torch.testing.assert_close(y, torch.nn.functional.linear(x, layer.weight), rtol=1e-2, atol=1e-2)
        y.sum().backward()
        assert y.stride(-2) * y.element_size() % 16 == 0, rank
        assert gradients[0].stride(-2) * y.element_size() % 16 == 0, rank


@pytest.mark.parametrize("preconditioner", ["adam", "sgd"])
@pytest.mark.parametrize("name", list(STEPS))
def test_values_equal_brute_force(
    compared, tiny_model_folder: Path, reference_folder: Path, preconditioner: str, name: str
) -> None:
    tokenized = compared[0]
    checkpoint = reference_folder / name
    brute = brute_force(tiny_model_folder, checkpoint, tokenized)
    expected = expected_values(brute, checkpoint, preconditioner)
    reference = load_reference(tiny_model_folder, checkpoint, torch.device("cpu"))
    found = found_values(reference, tokenized, preconditioner)
    assert found == pytest.approx(expected, abs=1e-5)
    assert max(expected) - min(expected) > 1e-3
    assert spearmanr(found, expected)[0] >= 0.999


def test_norms_and_losses_are_the_gradients(compared) -> None:
    tokenized, brute, reference = compared
    for batch in reduced_gradients(reference, tokenized, 512, CountSketch(16, 1), adam_steps(reference)):
        torch.testing.assert_close(batch.norms_B.double(), brute[batch.indices].norm(dim=1), rtol=1e-4, atol=1e-6)
        assert all(3 < loss < 9 for loss in batch.losses_B.tolist()), "near log(300) for random weights"


def test_values_do_not_depend_on_batch_order_or_padding(compared) -> None:
    tokenized, _, reference = compared
    alone = found_values(reference, tokenized, "adam", budget=1)
    assert found_values(reference, tokenized, "adam", budget=2000) == pytest.approx(alone, abs=1e-5)
    backwards = list(range(len(tokenized) - NUM_TARGETS))[::-1]
    assert found_values(reference, tokenized, "adam", 256, backwards) == pytest.approx(alone, abs=1e-5)


def test_batches_keep_the_budget_and_every_example(compared) -> None:
    tokenized = compared[0]
    batches = batches_of(tokenized, 200)
    assert sorted(i for batch in batches for i in batch) == list(range(len(tokenized)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(tokenized[i].input_ids) for i in batch) <= 200
    assert {len(batch) for batch in batches_of(tokenized, 10**6, max_examples=5)} == {5, 4}


def test_sketches_keep_dot_products(compared) -> None:
    tokenized, brute, reference = compared
    unit = brute / brute.norm(dim=1, keepdim=True)
    exact = (unit @ unit.T).flatten()
    errors = {}
    for dimension in (256, 4096):
        rows = torch.zeros(len(tokenized), dimension)
        for batch in reduced_gradients(reference, tokenized, 400, CountSketch(dimension, 3)):
            rows[batch.indices] = batch.rows_BF
        errors[dimension] = ((rows @ rows.T).flatten() - exact).square().mean().sqrt().item()
    # A sketch's dot product of unit vectors has a standard deviation of at most sqrt(2 / dimension); these gradients are
    # alike, and so are their errors.
    for dimension, error in errors.items():
        assert error < 2 * (2 / dimension) ** 0.5
    assert errors[4096] < errors[256] / 2


def test_a_sketch_is_the_same_in_every_batch_and_another_by_another_seed(compared) -> None:
    tokenized, _, reference = compared

    def rows_with(seed: int, budget: int) -> torch.Tensor:
        rows = torch.zeros(len(tokenized), 128)
        for batch in reduced_gradients(reference, tokenized, budget, CountSketch(128, seed)):
            rows[batch.indices] = batch.rows_BF
        return rows

    torch.testing.assert_close(rows_with(1, 1), rows_with(1, 1000), rtol=0, atol=1e-5)
    assert (rows_with(1, 300) - rows_with(2, 300)).abs().max() > 0.01


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("float16", 1e-3), ("int8", 1 / 200)])
def test_features_are_stored_nearly_as_they_are(dtype: str, tolerance: float) -> None:
    rows = torch.randn(5, 64, generator=torch.Generator().manual_seed(1))
    rows[3] = 0
    stored = encode(rows, dtype)
    assert stored["features"].dtype == getattr(torch, dtype)
    assert (decode(stored) - rows).abs().max() <= tolerance * rows.abs().max()


def test_checkpoints_weigh_by_their_rates(reference_folder: Path) -> None:
    checkpoints = checkpoints_of(reference_folder)
    assert [path.name for path in checkpoints] == ["checkpoint-1", "checkpoint-2"]
    assert checkpoint_weights(checkpoints) == pytest.approx([0.75, 0.25])


def test_a_folder_without_checkpoints_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="dvc repro train_reference"):
        checkpoints_of(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda pairs: pairs, ""),
        (lambda pairs: {"model.layers.7.mlp.up_proj": next(iter(pairs.values())), **pairs}, "does not have"),
        (lambda pairs: {name: pair for name, pair in pairs.items() if ".1." not in name}, "it does not adapt model.layers.1."),
        (lambda pairs: {name: (a, b[1:]) for name, (a, b) in pairs.items()}, "of 31 x 32 weights, this model's has 32 x 32"),
    ],
)  # fmt: skip
def test_weights_of_another_base_do_not_fit(change: Callable[[Pairs], Pairs], told: str) -> None:
    model = tiny_model("llama")
    pairs = {
        name: (torch.zeros(4, layer.in_features), torch.zeros(layer.out_features, 4))
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and name != "lm_head"
    }
    misfit = misfit_of(model, change(pairs))
    assert told in misfit
    assert bool(misfit) == bool(told)


def test_moments_of_other_weights_are_refused(tiny_model_folder: Path, tmp_path: Path) -> None:
    write_reference(tiny_model_folder, tmp_path / "one")
    write_reference(tiny_model_folder, tmp_path / "other", rank=8)
    mixed = tmp_path / "one/checkpoint-1"
    (tmp_path / "other/checkpoint-1/adam_moments.safetensors").replace(mixed / "adam_moments.safetensors")
    with pytest.raises(StageError, match="it does not belong to these LoRA weights"):
        load_reference(tiny_model_folder, mixed, torch.device("cpu"))


def test_a_model_that_scales_its_logits_is_refused(
    tiny_model_folder: Path, reference_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model("llama")
    forward = model.forward

    def scaled(*arguments: object, **options: object):
        output = forward(*arguments, **options)
        output.logits = 0.5 * output.logits
        return output

    monkeypatch.setattr(model, "forward", scaled)
    monkeypatch.setattr("stages.value.reference.load_model", lambda *_: model)
    with pytest.raises(StageError, match="scales its logits"):
        load_reference(tiny_model_folder, reference_folder / "checkpoint-1", torch.device("cpu"))
