"""Packing, schedule, optimizer, tokenizer, and training that resumes."""

import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from torch.optim import Muon
from transformers import TrainerControl, TrainerState

from stages.core.command import StageError
from stages.core.table_writer import write_table
from stages.models import folders as models_module
from stages.problems.student_format import Example, student_prompt
from stages.problems.synthesizer_format import synthesizer_prompt
from stages.problems.target_examples import target_example
from stages.training import checkpoints, optimizer_state
from stages.training import trainer as trainer_module
from stages.training.batches import Rows
from stages.training.curve import Curve
from stages.training.divergence import DivergenceGuard, has_jumped
from stages.training.job import TrainingJob
from stages.training.lora import checkpoint_steps
from stages.training.optimizer import Float32Muon, MuonWithAdamW, build_optimizer
from stages.training.run import train
from stages.training.schedule import wsd_factor
from stages.training.sections import TrainingPlan
from stages.training.token_store import write_store
from stages.training.train_reference import main as train_reference
from stages.training.trainer import train_model
from tests.tiny import benchmark_row, problem_row, tiny_model, tiny_tokenizer

PLAN = TrainingPlan(
    num_epochs=2, learning_rate=1e-3, optimizer="muon", warmup_ratio=0.1, decay_ratio=0.2, weight_decay=0.0,
    batch_rows=2, max_length=64, seed=1,
)  # fmt: skip
EXAMPLES = [Example(student_prompt(f"What is {i}+{i + 1}?", "cot"), f"{i}+{i + 1}={2 * i + 1}") for i in range(40)]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)


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


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_plans_betas_are_adamws(optimizer: str) -> None:
    plan = replace(PLAN, optimizer=optimizer, adam_beta1=0.8, adam_beta2=0.999)
    built = build_optimizer(tiny_model("llama"), plan)
    assert getattr(built, "parts", [built])[-1].param_groups[0]["betas"] == (0.8, 0.999)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def run(base: Path, tmp_path: Path, name: str, plan: TrainingPlan = PLAN, **options: bool) -> Path:
    train("test", [base], EXAMPLES, plan, tmp_path / name, tmp_path / f"{name}-curve", {"name": name}, **options)
    return tmp_path / name


def points(folder: Path, column: str = "loss") -> list[list[str]]:
    lines = (folder / f"plots/metrics/{column}.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines]


def work_of(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / ".work").glob("test-*") if path.is_dir()]


def test_training_lowers_the_loss_and_repeats_bit_for_bit(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = run(tiny_model_folder, tmp_path, "a"), run(tiny_model_folder, tmp_path, "b")
    assert weights(first) == weights(second) != weights(tiny_model_folder)
    head, *curve = points(tmp_path / "a-curve")
    assert head == ["step", "loss"]
    assert float(curve[-1][1]) < float(curve[0][1])
    provenance = json.loads((first / "provenance.json").read_text())
    assert provenance["num_examples"] == 40
    tokens, known = provenance["num_tokens"], models_module.size_and_trainings(first)
    assert known["model_num_parameters"] == provenance["num_parameters"]
    assert [(one["num_examples"], one["num_tokens"]) for one in known["trained"]] == [(40, tokens)]
    chained = json.loads((run(first, tmp_path, "c") / "provenance.json").read_text())["trained"]
    assert chained[0] == known["trained"][0], "the training before stays told"
    assert len(chained) == 2
    assert {path.suffix for path in first.iterdir()} <= {".json", ".safetensors", ".jinja"}
    assert not work_of(tmp_path)


def test_a_bfloat16_base_stays_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for a state that is gone on with: it belongs to the weights in float32."""
    monkeypatch.chdir(tmp_path)
    models_module.save_model(tiny_model("llama"), tiny_tokenizer(), tmp_path / "base", {}, dtype=torch.bfloat16)
    for name, keeps, dtype in (("a", False, torch.bfloat16), ("b", True, torch.float32)):
        trained = load_file(run(tmp_path / "base", tmp_path, name, keep_optimizer=keeps) / "model.safetensors")
        assert {weight.dtype for weight in trained.values()} == {dtype}
        assert json.loads((tmp_path / name / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")
    assert "lm_head.weight" not in trained, "the head is the embeddings, once"


@pytest.mark.parametrize("steps_after", [1, 2])
def test_a_killed_run_goes_on_and_ends_the_same(
    steps_after: int, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the step before, whether or not it was a point of the curve."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer_module, "POINTS", 3)  # a point is a mean over several steps
    whole = run(tiny_model_folder, tmp_path, "whole")
    monkeypatch.setenv("NINECHAPTERS_CHECKPOINT_SECONDS", "0")
    real = Curve.on_step_end

    logging = []

    def dies(self, args, state, control, **rest):  # type: ignore[no-untyped-def]
        real(self, args, state, control, **rest)
        logging.append(args.logging_steps)
        assert args.logging_steps > 2
        if state.global_step == 2 * args.logging_steps + steps_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Curve, "on_step_end", dies)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model_folder, tmp_path, "killed")
    assert not (tmp_path / "killed").exists()
    (work,) = work_of(tmp_path)
    (checkpoint,) = checkpoints.checkpoints_in(work)
    torn = work / "checkpoint-99"  # killed while it was being saved
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")
    monkeypatch.setattr(Curve, "on_step_end", real)
    starts = []
    begin = Curve.on_train_begin
    monkeypatch.setattr(
        Curve, "on_train_begin", lambda self, args, state, *rest, **more: starts.append(state.global_step) or begin(self, args, state, *rest, **more)
    )  # fmt: skip
    assert weights(run(tiny_model_folder, tmp_path, "killed")) == weights(whole)
    assert starts == [int(checkpoint.name.partition("-")[2])]
    assert starts[0] % logging[0] == steps_after - 1
    assert points(tmp_path / "killed-curve") == points(tmp_path / "whole-curve")


@pytest.mark.slow
def test_pretraining_and_finetuning_can_be_one_schedule(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without decay and then going on from the optimizer's state: the weights of a single run, bit for bit."""
    monkeypatch.chdir(tmp_path)
    for optimizer in ("adamw", "muon"):
        plan = replace(PLAN, optimizer=optimizer, num_epochs=2, warmup_ratio=0.0, decay_ratio=0.0)
        single = run(tiny_model_folder, tmp_path, f"single-{optimizer}", plan)
        steps = json.loads((single / "provenance.json").read_text())["num_steps"]
        half = replace(plan, num_epochs=1)
        first = run(tiny_model_folder, tmp_path, f"first-{optimizer}", half, keep_optimizer=True)
        # The second epoch is packed with another seed: seed * 1000 + 1.
        monkeypatch.setattr(Rows, "__init__", rows_of_the_second_epoch)
        second = run(first, tmp_path, f"second-{optimizer}", replace(half, warmup_ratio=0.5), continue_optimizer=True)
        fresh = run(first, tmp_path, f"fresh-{optimizer}", half)
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(models_module, "CPU_THREADS", 1)
        assert steps % 2 == 0
        assert weights(second) == weights(single) != weights(fresh)


ROWS_INIT = Rows.__init__


def rows_of_the_second_epoch(self, store, plan, layout):  # type: ignore[no-untyped-def]
    ROWS_INIT(self, store, replace(plan, num_epochs=2), layout)
    self.packings, self.epoch_ends = self.packings[1:], self.epoch_ends[:1]
    self.num_rows = len(self.packings[0])
    self.epoch_ends = [self.num_rows]
    self.num_steps = -(-self.num_rows // self.batch_rows)


def test_the_optimizers_state_lies_where_no_engine_takes_it_for_weights(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is found where it lay before."""
    monkeypatch.chdir(tmp_path)
    first = run(tiny_model_folder, tmp_path, "first", keep_optimizer=True)
    assert [path.name for path in first.glob("*.safetensors")] == ["model.safetensors"]
    second, fresh = run(first, tmp_path, "second", continue_optimizer=True), run(first, tmp_path, "fresh")
    (first / "optimizer/state-00001.safetensors").rename(first / "optimizer.safetensors")
    old = run(first, tmp_path, "old", continue_optimizer=True)
    assert weights(old) == weights(second) != weights(fresh)


def test_a_large_state_is_written_in_several_files(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = run(tiny_model_folder, tmp_path, "one", keep_optimizer=True)
    monkeypatch.setattr(optimizer_state, "FILE_BYTES", 20_000)
    several = run(tiny_model_folder, tmp_path, "several", keep_optimizer=True)
    assert len(list((several / "optimizer").iterdir())) > 3
    ours, theirs = (optimizer_state.StoredStates(folder) for folder in (several, one))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name][key], value) for name in theirs for key, value in theirs[name].items())


def test_an_optimizer_of_another_kind_is_not_continued(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = run(tiny_model_folder, tmp_path, "first", replace(PLAN, optimizer="adamw"), keep_optimizer=True)
    state = load_file(first / "optimizer/state-00001.safetensors")
    save_file({k: v for k, v in state.items() if "layers.0" not in k}, first / "optimizer/state-00001.safetensors")
    with pytest.raises(StageError, match="has no state of model"):
        run(first, tmp_path, "second", replace(PLAN, optimizer="adamw"), continue_optimizer=True)


def job_of(tmp_path: Path, plan: TrainingPlan = PLAN) -> TrainingJob:
    (tmp_path / "work").mkdir(exist_ok=True)
    return TrainingJob("test", tmp_path, tmp_path / "out", tmp_path / "curve", tmp_path / "work", plan)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    torch.set_num_threads(1)
    store = write_store(EXAMPLES, tiny_tokenizer(), 64, tmp_path / "tokens", "test")
    with pytest.raises(StageError, match=r"the loss is nan at step 1 of .*Lower learning_rate"):
        train_model(model, store, job_of(tmp_path))
    assert (tmp_path / "work/divergence.csv").read_text().splitlines() == ["step,loss", "1,nan"]


def test_no_checkpoint_is_saved_of_a_loss_that_was_not_looked_at(tmp_path: Path) -> None:
    """On a GPU losses are looked at every ten steps, and before a checkpoint."""
    args = SimpleNamespace(device=torch.device("cuda"), output_dir=str(tmp_path))
    state, guard = TrainerState(global_step=1, max_steps=100), DivergenceGuard()
    guard.add(torch.tensor(float("nan")))
    guard.on_step_end(args, state, TrainerControl())
    guard.add(torch.tensor(1.0))
    with pytest.raises(StageError, match="the loss is nan at step 1"):
        guard.on_step_end(args, state, TrainerControl(should_save=True))


def test_a_jump_of_the_loss_is_told_from_noise() -> None:
    rng = random.Random(1)
    noisy = [2.0 - 0.005 * i + rng.gauss(0, 0.2) for i in range(110)]
    assert not has_jumped(noisy)
    assert not has_jumped([*noisy[:-1], 9.0]), "a single bad batch"
    assert has_jumped(noisy[:-10] + [4.0] * 10)
    assert not has_jumped([4.0] * 20), "too few steps to know what is usual"


def test_nothing_that_fits_is_an_error(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match="no example fits max_length = 64"):
        train("t", [tiny_model_folder], [Example("a " * 200, "b")], PLAN, tmp_path / "out", tmp_path / "curve")


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
        "adam-beta2": 0.999,
    }  # fmt: skip
    places = [tiny_model_folder, tmp_path / "candidates", tmp_path / "reference", tmp_path / "curve"]
    arguments = [*map(str, places), *(word for key, value in options.items() for word in (f"--{key}", str(value)))]
    done = CliRunner().invoke(train_reference, arguments)
    assert done.exit_code == 0, done.output
    records = [json.loads((tmp_path / f"reference/checkpoint-{n}/provenance.json").read_text()) for n in (1, 2, 3)]
    num_steps = records[-1]["num_steps"]
    assert [record["num_steps"] for record in records] == checkpoint_steps(num_steps, 3)
    for record, before in zip(records, [0, *(record["num_steps"] for record in records)], strict=False):
        rates = [1e-3 * wsd_factor(step, num_steps, 0.2, 0.4) for step in range(before, record["num_steps"])]
        assert record["learning_rate"] == pytest.approx(sum(rates) / len(rates))
    assert {tuple(record["adam_betas"]) for record in records} == {(0.9, 0.999)}
    weights = [load_file(tmp_path / f"reference/checkpoint-{n}/adapter_model.safetensors") for n in (1, 3)]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])
    moments = load_file(tmp_path / "reference/checkpoint-1/adam_moments.safetensors")
    assert len(moments) == 2 * len(weights[0])


def test_fewer_steps_than_checkpoints_are_as_many_as_there_are() -> None:
    assert checkpoint_steps(10, 4) == [2, 5, 7, 10]
    assert checkpoint_steps(2, 4) == [1, 2]
