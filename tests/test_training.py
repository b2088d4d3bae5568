"""Packing, schedule, optimizer, tokenizer, and training that resumes."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch.optim import Muon

from stages.core.command import StageError
from stages.core.tables import write_table
from stages.training import models as models_module
from stages.training.formats import Example, student_prompt, synthesizer_prompt
from stages.training.models import load_model, load_tokenizer
from stages.training.optimizer import Float32Muon, MuonWithAdamW
from stages.training.packing import IGNORED, pack, tokenize
from stages.training.plan import TrainingPlan
from stages.training.prepare_models import model_from_folder
from stages.training.run import train_and_save
from stages.training.targets import target_example
from stages.training.train_reference import checkpoint_steps
from stages.training.train_reference import main as train_reference
from stages.training.trainer import train, wsd_factor
from tests.tiny import benchmark_row, problem_row, tiny_model, tiny_tokenizer

PLAN = TrainingPlan(
    num_epochs=2, learning_rate=1e-3, optimizer="muon", warmup_ratio=0.1, decay_ratio=0.2, weight_decay=0.0,
    batch_rows=2, max_length=64, seed=1,
)  # fmt: skip
EXAMPLES = [Example(student_prompt(f"What is {i}+{i + 1}?", "cot"), f"{i}+{i + 1}={2 * i + 1}") for i in range(40)]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)


def packed():
    tokenized, num_too_long = tokenize(EXAMPLES, tiny_tokenizer(), 64)
    assert num_too_long == 0
    return tokenized, pack(tokenized, 64, pad_id=0, seed=3)


def test_rows_have_one_length_and_lose_nothing() -> None:
    tokenized, rows = packed()
    assert {len(values) for row in rows for values in row.values()} == {64}
    assert sum(sum(label != IGNORED for label in row["labels"]) for row in rows) == sum(
        sum(label != IGNORED for label in example.labels) for example in tokenized
    )
    assert len(rows) < len(tokenized)


def test_loss_falls_on_outputs_only() -> None:
    tokenizer = tiny_tokenizer()
    (example,), _ = tokenize(EXAMPLES[:1], tokenizer, 64)
    learnt = [label for label in example.labels if label != IGNORED]
    assert tokenizer.decode(learnt) == f"{EXAMPLES[0].output}</s>"
    assert example.input_ids[0] == tokenizer.bos_token_id


def test_too_long_examples_are_left_out_and_counted() -> None:
    kept, num_too_long = tokenize([*EXAMPLES[:2], Example("a " * 100, "b")], tiny_tokenizer(), 64)
    assert (len(kept), num_too_long) == (2, 1)


@pytest.mark.parametrize("architecture", ["llama", "mistral", "mixtral"])
def test_a_packed_row_has_the_logits_of_its_examples_alone(architecture: str) -> None:
    model = tiny_model(architecture).eval()
    _, rows = packed()
    row = max(rows, key=lambda row: row["position_ids"].count(0))
    ids, positions = torch.tensor([row["input_ids"]]), torch.tensor([row["position_ids"]])
    starts = [i for i, position in enumerate(row["position_ids"]) if position == 0] + [64]
    assert len(starts) > 3
    with torch.inference_mode():
        together = model(input_ids=ids, position_ids=positions, use_cache=False).logits
        for start, end in itertools.pairwise(starts):
            alone = model(input_ids=ids[:, start:end], use_cache=False).logits
            torch.testing.assert_close(together[:, start:end], alone, atol=1e-5, rtol=1e-4)


def test_the_schedule_warms_up_stays_and_decays() -> None:
    factors = [wsd_factor(step, 100, 0.03, 0.15) for step in range(100)]
    assert factors[0] == pytest.approx(1 / 3)
    assert all(factor == 1.0 for factor in factors[3:85])
    assert factors[85:] == sorted(factors[85:], reverse=True)
    assert 0.05 < factors[-1] <= 0.2


def test_digits_are_tokens_of_their_own() -> None:
    tokens = tiny_tokenizer().tokenize("12 apples and 345")
    assert [token for token in tokens if token.isdigit()] == ["1", "2", "3", "4", "5"]


def test_muon_takes_the_hidden_matrices_only() -> None:
    model = tiny_model("llama")
    optimizer = MuonWithAdamW(list(model.named_parameters()), 1e-3, (0.9, 0.98), 0.0)
    muon, adamw = optimizer.parts
    num_muon = sum(len(group["params"]) for group in muon.param_groups)
    assert num_muon == 2 * 7
    assert num_muon + sum(len(group["params"]) for group in adamw.param_groups) == len(list(model.parameters()))
    optimizer.param_groups[0]["lr"] = 0.5
    assert muon.param_groups[0]["lr"] == 0.5


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def run(base: Path, tmp_path: Path, name: str) -> Path:
    work = tmp_path / f"work-{name}"
    work.mkdir(exist_ok=True)
    train_and_save(base, EXAMPLES, PLAN, tmp_path / name, tmp_path / f"{name}.csv", "test", work)
    return tmp_path / name


def test_training_lowers_the_loss_and_repeats_bit_for_bit(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = run(tiny_model_folder, tmp_path, "a"), run(tiny_model_folder, tmp_path, "b")
    assert weights(first) == weights(second) != weights(tiny_model_folder)
    curve = (first.parent / "a.csv").read_text().splitlines()
    assert float(curve[-1].split(",")[1]) < float(curve[1].split(",")[1])
    provenance = json.loads((first / "provenance.json").read_text())
    assert provenance["num_examples"] == 40
    assert {path.suffix for path in first.iterdir()} <= {".json", ".safetensors", ".jinja"}
    assert not (tmp_path / "work-a").exists()


def test_a_killed_run_goes_on_and_ends_the_same(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    from stages.training import trainer as trainer_module

    monkeypatch.setattr(trainer_module, "CURVE_POINTS", 5)  # a point is a mean over several steps
    whole = run(tiny_model_folder, tmp_path, "whole")
    monkeypatch.setattr(trainer_module, "CHECKPOINT_SECONDS", 0.0)
    real = trainer_module.Curve.on_step_end

    def dies(self, args, state, control, **rest):  # type: ignore[no-untyped-def]
        real(self, args, state, control, **rest)
        assert args.logging_steps > 1
        if state.global_step == args.logging_steps + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer_module.Curve, "on_step_end", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model_folder, tmp_path, "killed")
    assert not (tmp_path / "killed").exists()
    assert list((tmp_path / "work-killed").glob("checkpoint-*"))
    monkeypatch.setattr(trainer_module.Curve, "on_step_end", real)
    assert weights(run(tiny_model_folder, tmp_path, "killed")) == weights(whole)
    assert (tmp_path / "killed.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    torch.set_num_threads(1)
    with pytest.raises(StageError, match="Lower learning_rate"):
        train(model, tiny_tokenizer(), EXAMPLES, PLAN, "test", tmp_path)


def test_nothing_that_fits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="fits max_length = 64"):
        train(tiny_model("llama"), tiny_tokenizer(), [Example("a " * 200, "b")], PLAN, "test", tmp_path)


def test_local_and_hub_models_load_from_hub_format(tiny_model_folder: Path) -> None:
    model, tokenizer = model_from_folder(str(tiny_model_folder), "", is_hub=False)
    torch.testing.assert_close(model.lm_head.weight, load_model(tiny_model_folder).lm_head.weight)
    assert tokenizer.get_vocab() == load_tokenizer(tiny_model_folder).get_vocab()
    with pytest.raises(StageError, match="Pin it"):
        model_from_folder("mistralai/Mistral-7B-v0.1", "main", is_hub=True)
    with pytest.raises(StageError, match=r"has no config\.json"):
        model_from_folder("/nowhere", "", is_hub=False)


def test_formats() -> None:
    assert student_prompt("Q?", "tool") == "## Question\nQ?\n\n## Code Solution\n"
    assert "## New" not in synthesizer_prompt("grade", "cot", "## New Problem here").partition("\n")[2][:12]
    row = benchmark_row(problem="Q?", solution="3+4=7")
    assert target_example(row).output == "3+4=7\nThe answer is \\boxed{7}."


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def test_muon_in_float32_is_torchs_to_the_precision_of_bfloat16(shape: tuple[int, int]) -> None:
    torch.manual_seed(3)
    start, gradients = torch.randn(shape), [torch.randn(shape) for _ in range(4)]
    ends = []
    for kind in (Muon, Float32Muon):
        parameter = torch.nn.Parameter(start.clone())
        optimizer = kind([parameter], lr=0.1, weight_decay=0.1)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        ends.append(parameter.detach() - start)
    assert torch.allclose(ends[0], ends[1], atol=0.06 * ends[0].abs().max())
    assert list(optimizer.state_dict()["state"][0]) == ["momentum_buffer"]


def test_the_reference_model_has_checkpoints_with_their_mean_rates(tiny_model_folder: Path, tmp_path: Path) -> None:
    problems = [problem_row(problem_id=str(i), problem=f"What is {i} plus {i}?") for i in range(30)]
    write_table("problems", problems, tmp_path / "candidates/problems.parquet")
    options = {
        "lora-rank": 2, "lora-alpha": 4, "num-checkpoints": 3, "num-epochs": 2, "learning-rate": 1e-3, "optimizer": "adamw",
        "warmup-ratio": 0.2, "decay-ratio": 0.4, "weight-decay": 0, "batch-rows": 1, "max-length": 128, "seed": 1,
    }  # fmt: skip
    places = [tiny_model_folder, tmp_path / "candidates", tmp_path / "reference", tmp_path / "curve.csv"]
    arguments = [*map(str, places), *(word for key, value in options.items() for word in (f"--{key}", str(value)))]
    done = CliRunner().invoke(train_reference, arguments)
    assert done.exit_code == 0, done.output
    records = [json.loads((tmp_path / f"reference/checkpoint-{n}/provenance.json").read_text()) for n in (1, 2, 3)]
    num_steps = records[-1]["num_steps"]
    assert [record["num_steps"] for record in records] == checkpoint_steps(num_steps, 3)
    for record, before in zip(records, [0, *(record["num_steps"] for record in records)], strict=False):
        rates = [1e-3 * wsd_factor(step, num_steps, 0.2, 0.4) for step in range(before, record["num_steps"])]
        assert record["learning_rate"] == pytest.approx(sum(rates) / len(rates))
    weights = [load_file(tmp_path / f"reference/checkpoint-{n}/adapter_model.safetensors") for n in (1, 3)]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])
    moments = load_file(tmp_path / "reference/checkpoint-1/adam_moments.safetensors")
    assert len(moments) == 2 * len(weights[0])


def test_fewer_steps_than_checkpoints_are_as_many_as_there_are() -> None:
    assert checkpoint_steps(10, 4) == [2, 5, 7, 10]
    assert checkpoint_steps(2, 4) == [1, 2]
