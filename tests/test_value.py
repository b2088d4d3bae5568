"""Value estimation against a float64 reference, and its independence of batches."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from stages.core.tables import write_json
from stages.training.formats import Example
from stages.training.models import PROVENANCE, load_model
from stages.training.packing import IGNORED, tokenize
from stages.value.gradients import batches_of, load_reference, per_example_gradients
from stages.value.influence import candidate_values, mean_direction
from stages.value.strategies import by_chance, by_value
from stages.value.topics import chance_of_as_many, on_topic_record
from tests.tiny import tiny_tokenizer

EXAMPLES = [
    Example(f"Question {i}: " + "what is it? " * (i % 5 + 1), f"{i}+{i}={2 * i}. " * (i % 3 + 1)) for i in range(24)
]
STEPS, BETAS = 10, (0.9, 0.98)


@pytest.fixture(scope="module")
def reference_folder(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of random A and B with random moments, as train_reference writes it."""
    folder = tmp_path_factory.mktemp("reference") / "reference"
    torch.manual_seed(1)
    lora = LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], init_lora_weights=False
    )
    model = get_peft_model(load_model(tiny_model_folder), lora)
    model.save_pretrained(folder)
    moments = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            moments[f"{name}.exp_avg"] = 1e-3 * torch.randn_like(parameter)
            moments[f"{name}.exp_avg_sq"] = 1e-5 * torch.rand_like(parameter)
    save_file(moments, folder / "adam_moments.safetensors")
    write_json({"num_steps": STEPS, "adam_betas": BETAS}, folder / PROVENANCE)
    return folder


def brute_force_gradients(base: Path, folder: Path, examples: list) -> tuple[list[str], list[torch.Tensor]]:
    """Each example alone, float64, autograd through PEFT's unmerged adapter; flat over all LoRA parameters."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_model(base), folder, is_trainable=True).double().eval()
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    names.sort(key=lambda name: name.replace(".default.weight", ""))
    parameters = dict(model.named_parameters())
    flat = []
    for example in examples:
        model.zero_grad()
        ids, labels = torch.tensor([example.input_ids]), torch.tensor([example.labels])
        logits = model(input_ids=ids).logits[0, :-1]
        torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=IGNORED).backward()
        flat.append(torch.cat([parameters[name].grad.flatten() for name in names]))
    return names, flat


@pytest.fixture(scope="module")
def compared(tiny_model_folder: Path, reference_folder: Path):
    tokenized, _ = tokenize(EXAMPLES, tiny_tokenizer(), 256)
    names, brute = brute_force_gradients(tiny_model_folder, reference_folder, tokenized)
    reference = load_reference(tiny_model_folder, reference_folder, torch.device("cpu"))
    return tokenized, names, brute, reference


def test_gradients_equal_brute_force(compared) -> None:
    tokenized, names, brute, reference = compared
    assert [name.split(".lora_")[1][0] for name in names] == [name[-1] for name in reference.parameter_names]
    for batch, pieces in per_example_gradients(reference, tokenized, token_budget=512):
        flat = torch.cat(pieces, dim=1).double()
        for row, i in enumerate(batch):
            torch.testing.assert_close(flat[row], brute[i], rtol=1e-3, atol=1e-6)


def test_values_equal_brute_force(compared, reference_folder: Path) -> None:
    tokenized, names, brute, reference = compared
    moments = load_file(reference_folder / "adam_moments.safetensors")
    first, second = (
        torch.cat([moments[f"{n}.{m}"].flatten() for n in names]).double() for m in ("exp_avg", "exp_avg_sq")
    )
    targets, candidates = range(8), range(8, 24)
    direction = torch.stack([brute[i] / brute[i].norm() for i in targets]).mean(dim=0)
    expected = []
    for i in candidates:
        m = (BETAS[0] * first + (1 - BETAS[0]) * brute[i]) / (1 - BETAS[0] ** (STEPS + 1))
        v = (BETAS[1] * second + (1 - BETAS[1]) * brute[i] ** 2) / (1 - BETAS[1] ** (STEPS + 1))
        expected.append(torch.nn.functional.cosine_similarity(m / (v.sqrt() + 1e-8), direction, dim=0).item())
    directions = {"t": mean_direction(per_example_gradients(reference, tokenized[:8], 300), 8)}
    found = [0.0] * 16
    for batch, values in candidate_values(per_example_gradients(reference, tokenized[8:], 300), directions, reference):
        for i, value in zip(batch, values["t"], strict=True):
            found[i] = value
    assert found == pytest.approx(expected, abs=1e-5)
    assert max(expected) - min(expected) > 1e-3


def test_values_do_not_depend_on_batch_order_or_padding(compared) -> None:
    tokenized, _, _, reference = compared
    directions = {"t": mean_direction(per_example_gradients(reference, tokenized[:8], 300), 8)}

    def values_with(order: list[int], budget: int) -> list[float]:
        found = [0.0] * len(tokenized)
        gradients = per_example_gradients(reference, [tokenized[i] for i in order], budget)
        for batch, values in candidate_values(gradients, directions, reference):
            for i, value in zip(batch, values["t"], strict=True):
                found[order[i]] = value
        return found

    order = list(range(len(tokenized)))
    alone = values_with(order, 1)
    assert values_with(order, 2000) == pytest.approx(alone, abs=1e-5)
    assert values_with(order[::-1], 256) == pytest.approx(alone, abs=1e-5)


def test_batches_keep_the_budget_and_every_example(compared) -> None:
    tokenized = compared[0]
    batches = batches_of(tokenized, 200)
    assert sorted(i for batch in batches for i in batch) == list(range(len(tokenized)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(tokenized[i].input_ids) for i in batch) <= 200


def test_strategies() -> None:
    texts = [{"text_id": str(i), "text": "x"} for i in range(5)]
    values = [{"text_id": str(i), "value": float(v)} for i, v in [(0, 1), (0, 3), (1, 5), (2, 0), (3, 2)]]
    ranked = by_value(texts, values, seed=1)
    assert [row["text_id"] for row in ranked] == ["1", "0", "3", "2"], "text 4 has no problem and so no value"
    assert ranked[1]["value"] == 2.0
    assert by_value(texts[::-1], values, 1) == ranked
    assert {row["text_id"] for row in by_chance(texts, values, 1)} == {"0", "1", "2", "3"}


def test_topics_are_counted() -> None:
    record = on_topic_record([{"text": "Divide the price of the train."}, {"text": "Cohomology of sheaves."}])
    assert (record["on_topic_frac"], record["num_texts"]) == (0.5, 2)
    assert json.dumps(record)
    on, off = {"text": "Divide the price of the train."}, {"text": "Cohomology of sheaves."}
    assert chance_of_as_many([on, on], [on, on, off, off]) == pytest.approx(1 / 6)
    assert chance_of_as_many([off], [on, off]) == 1.0
