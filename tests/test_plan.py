"""The plan of a profile: its arithmetic against the papers' numbers, memory, and the command."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from transformers import LlamaConfig, MixtralConfig

from stages.models.architectures import ARCHITECTURES
from stages.models.shape import Shape
from stages.project.hardware import GPUS, Hardware
from stages.project.plan import main as plan
from stages.project.profile_shapes import PUBLISHED, config_in_profile, shape_of
from stages.project.workloads import Assumptions, plan_rows
from stages.training import memory
from stages.training.batches import Layout
from stages.training.memory import Fit, Savings, activation_bytes, device_of, fit, fit_here, state_bytes
from stages.training.sections import TrainingPlan
from tests.conftest import ROOT
from tests.tiny import tiny_model

ASSUMED = Assumptions(mfu=0.4, generation_mfu=0.15, kept_frac=0.75, target_tokens=280)
SMOLLM2 = Shape(576, 1536, 30, 576, 192, 49_152, 1, 1, True)
# As the models' own pages give them.
PARAMETERS = {
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "meta-llama/Meta-Llama-3-8B": 8_030_261_248,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
}


def rows_of(profile: str, gpu: str = "a100", count: int = 8, price: float | None = 2.0) -> dict[str, dict]:
    params = yaml.safe_load((ROOT / f"profiles/{profile}.yaml").read_text())
    hardware = Hardware(gpu, count, *GPUS[gpu], price)
    models = {**params["models"], **params.get("local_models", {})}
    rows = plan_rows(params, hardware, ASSUMED, lambda name: Shape.of(config_in_profile(name, models[name])))
    return {row["stage"]: row for row in rows}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    assert Shape.of(PUBLISHED[name]).num_parameters == PARAMETERS[name]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_are_those_of_the_model(architecture: str) -> None:
    model = tiny_model(architecture)
    assert Shape.of(model.config.to_dict()).num_parameters == sum(p.numel() for p in model.parameters())


def test_active_parameters_are_those_of_two_experts() -> None:
    mixtral = Shape.of(PUBLISHED["mistralai/Mixtral-8x7B-v0.1"])
    assert mixtral.num_active == pytest.approx(12.9e9, rel=0.02)
    assert Shape.of(MixtralConfig().to_dict()).num_experts == 8
    assert Shape.of(LlamaConfig().to_dict()).num_active < Shape.of(LlamaConfig().to_dict()).num_parameters


def test_the_papers_scale() -> None:
    """4.6 billion tokens in batches of 1.05 million; the paper: 500 A100-hours for training 7B, 320-430 for writing 4.6 billion."""
    rows = rows_of("paper-7b")
    pretrain, corpus = rows["pretrain@mistral"], rows["synthesize@corpus"]
    assert pretrain["tokens"] == pytest.approx(4.6e9, rel=0.01)
    assert pretrain["steps"] == pytest.approx(4.6e9 / (512 * 2048), rel=0.01)
    recomputed = 4 / 3  # gradient checkpointing, which the derivation leaves out
    assert pretrain["device hours"] * 5.4 / 4.6 / recomputed == pytest.approx(500, rel=0.1)
    assert 320 <= corpus["device hours"] * 4.6e9 / corpus["tokens"] <= 430
    assert rows["distill@initial"]["usd"] + rows["distill@boost"]["usd"] == pytest.approx(683, rel=0.01)
    assert rows["all"]["device hours"] == pytest.approx(
        sum(row["device hours"] for name, row in rows.items() if name != "all" and row["device hours"] != "")
    )


def test_more_devices_take_less_time_and_the_same_money() -> None:
    few, many = rows_of("paper-7b", "h100", 8), rows_of("paper-7b", "h100", 32)
    assert few["synthesize@corpus"]["hours"] == pytest.approx(4 * many["synthesize@corpus"]["hours"])
    assert few["synthesize@corpus"]["usd"] == pytest.approx(many["synthesize@corpus"]["usd"])
    assert rows_of("paper-7b", price=None)["synthesize@corpus"]["usd"] == ""


def test_what_does_not_fit_is_said() -> None:
    assert "DOES NOT FIT" in rows_of("paper-8x7b", "a100", 8)["pretrain@mixtral"]["memory of each"]
    assert "DOES NOT FIT" not in rows_of("paper-8x7b", "a100", 16)["pretrain@mixtral"]["memory of each"]
    assert "FSDP" in rows_of("paper-7b", "h100", 8)["pretrain@mistral"]["memory of each"]
    assert rows_of("pilot", "h100", 1)["pretrain@llama"]["memory of each"].endswith("GB")


def test_memory_is_saved_where_it_must_be() -> None:
    shape = Shape.of(PUBLISHED["mistralai/Mistral-7B-v0.1"])
    plan_7b = TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, 512, 2048, 1)

    def fitted(num_bytes: float, is_cpu: bool = False) -> Fit:
        return fit(shape, shape.num_parameters, 0, plan_7b, 8, device_of(num_bytes, is_cpu))

    few, roomy = fitted(80e9), fitted(288e9)
    assert few.layout.micro_rows * 2048 == roomy.layout.micro_rows * 2048 == 16_384
    assert few.savings == Savings(has_checkpointing=True, is_sharded=True)
    assert roomy.savings == Savings(has_checkpointing=False, is_sharded=False)
    assert state_bytes(7_000_000_000, 0, 8) == 14e9
    assert activation_bytes(shape, 16_384, True) < 0.3 * activation_bytes(shape, 16_384, False)


@pytest.mark.parametrize(
    ("num_bytes", "micro_rows", "has_checkpointing"),
    [(64e9, 32, False), (24e9, 8, False), (12e9, 4, False), (9e9, 2, False), (8e9, 1, False), (6e9, 1, True), (1e9, 1, True)],
)  # fmt: skip
def test_a_cpu_takes_fewer_tokens_at_a_time_before_it_computes_twice(
    num_bytes: float, micro_rows: int, has_checkpointing: bool
) -> None:
    """135 million parameters under a vocabulary of 49,152: 2.2 GB of state, 0.8 GB a row of 512."""
    plan = TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, 32, 512, 1)
    found = fit(SMOLLM2, SMOLLM2.num_parameters, 0, plan, 1, device_of(num_bytes, is_cpu=True))
    assert (found.layout.micro_rows, found.savings.has_checkpointing) == (micro_rows, has_checkpointing)
    assert found.layout.num_micro * micro_rows == 32


def test_a_tiny_model_takes_the_same_tokens_at_a_time_on_any_machine() -> None:
    """Else its last bits, and so the bytes of the laptop's run, would depend on who else needs memory."""
    shape = Shape.of(tiny_model("llama", hidden_size=128).config.to_dict())
    plan = TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, 6, 320, 1)
    found = {fit(shape, shape.num_parameters, 0, plan, 1, device_of(size, is_cpu=True)) for size in (5e8, 4e9, 64e9)}
    assert [one.layout for one in found] == [Layout(1, 6, 1)]


def test_heads_that_are_scaled_hold_all_their_logits() -> None:
    plan = TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, 32, 512, 1)
    device = device_of(20e9, is_cpu=True)
    plain = fit(SMOLLM2, SMOLLM2.num_parameters, 0, plan, 1, device)
    scaled = fit(SMOLLM2, SMOLLM2.num_parameters, 0, plan, 1, device, has_plain_head=False)
    assert scaled.micro_tokens < plain.micro_tokens


def test_a_run_that_goes_on_keeps_its_tokens_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less memory is free when it is started again; its steps would differ in their last bits."""
    model, plan = tiny_model("llama"), TrainingPlan(1, 1e-5, "adamw", 0, 0, 0, 64, 512, 1)
    first = fit_here(model, plan, 1, tmp_path, True)
    assert first.micro_tokens == 16_384
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000_000)
    assert fit_here(model, plan, 1, tmp_path / "other", True).micro_tokens < 16_384
    assert fit_here(model, plan, 1, tmp_path, True) == first
    monkeypatch.setenv("NINECHAPTERS_MICRO_TOKENS", "2048")
    assert fit_here(model, plan, 1, tmp_path, True).layout.micro_rows == 4


def test_the_command_on_this_machine_and_on_others() -> None:
    here = CliRunner().invoke(plan, [])
    assert here.exit_code == 0, here.output
    assert "pretrain@llama" in here.output
    assert "TFLOP/s" in here.output
    for profile in sorted((ROOT / "profiles").glob("*.yaml")):
        done = CliRunner().invoke(plan, [str(profile), "--gpu", "h200", "--usd-per-gpu-hour", "3"])
        assert done.exit_code == 0, f"{profile}: {done.output}"


def test_a_local_model_is_measured_by_its_folder(tmp_path: Path) -> None:
    local = {"synthesizer": {"path": str(tmp_path / "deepseek-math-7b-rl")}}
    published = shape_of("synthesizer", {"models": {}, "local_models": local})
    assert published == Shape.of(PUBLISHED["deepseek-math-7b-rl"])
    tiny_model("llama").save_pretrained(tmp_path / "deepseek-math-7b-rl")
    assert shape_of("synthesizer", {"models": {}, "local_models": local}).hidden_size == 32


def test_no_name_is_every_name() -> None:
    params = yaml.safe_load((ROOT / "profiles/laptop.yaml").read_text())
    hardware = Hardware("h100", 1, *GPUS["h100"], None)

    def tokens(benchmarks: list[str]) -> int:
        params["evaluate"]["benchmark"] = benchmarks
        rows = plan_rows(params, hardware, ASSUMED, lambda name: shape_of(name, params))
        return next(row["tokens"] for row in rows if row["stage"].startswith("evaluate"))

    assert tokens([]) == tokens(list(params["benchmarks"])) == 540 / 300 * tokens(["grade"])


def test_a_broken_profile_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("sources: {}\n")
    done = CliRunner().invoke(plan, [str(tmp_path / "p.yaml"), "--gpu", "h100"])
    assert done.exit_code == 1
    assert "is missing or no section of a profile" in done.output
    (tmp_path / "p.yaml").write_text("a: [\n")
    assert "is not YAML" in CliRunner().invoke(plan, [str(tmp_path / "p.yaml"), "--gpu", "h100"]).output
