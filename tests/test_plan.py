"""The plan of a profile: its arithmetic against the papers' numbers, memory, and the command."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from transformers import LlamaConfig, MixtralConfig

from stages.core.command import StageError
from stages.core.section import options_of
from stages.models.architectures import ARCHITECTURES
from stages.models.shape import Shape
from stages.project.assumptions import Assumptions
from stages.project.hardware import GPUS, Hardware
from stages.project.measured import with_measured
from stages.project.overheads import disk_rows, faults_of
from stages.project.plan import main as plan
from stages.project.profile_shapes import PUBLISHED, config_in_profile, published_shape, shape_of
from stages.project.workloads import plan_rows, works_of
from stages.project.writing_time import Writer
from stages.training import memory
from stages.training.batches import Layout
from stages.training.checkpoints import CHECKPOINT_SECONDS, FIRST_RATE, SHARE
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


def rate(profile: str, stage: str, gpu: str, count: int = 1) -> float:
    """Tokens a second and GPU."""
    row = rows_of(profile, gpu, count)[stage]
    return row["tokens"] / row["device hours"] / 3600


def test_writing_is_bound_by_memory_where_keys_and_values_are_many() -> None:
    """DeepSeekMath-7B keeps keys of all 32 heads, 0.49 MB a token: 7,000 tokens/s on an H100, not the arithmetic's 11,400."""
    deepseek, llama = (Shape.of(PUBLISHED[name]) for name in ("deepseek-math-7b-rl", "meta-llama/Meta-Llama-3-8B"))
    assert 2 * deepseek.cached_numbers(1) == 491_520
    assert 2 * llama.cached_numbers(1) == 131_072
    assert rate("paper-7b", "synthesize@corpus", "h100") == pytest.approx(7000, rel=0.1)
    assert "bound by memory" in rows_of("paper-7b", "h100")["synthesize@corpus"]["work"]
    assert "bound by arithmetic" in rows_of("paper-7b", "a100")["synthesize@corpus"]["work"]
    hardware = Hardware("h100", 1, *GPUS["h100"], None)
    written = {shape: Writer(shape, hardware, Assumptions()).written(10**6, 364, 769) for shape in (deepseek, llama)}
    assert written[deepseek].num_rows < written[llama].num_rows
    assert written[llama].bound == "arithmetic"
    assert 769e6 / written[llama].seconds == pytest.approx(0.15 * 989e12 / (2 * llama.num_active), rel=0.25)


def test_more_room_and_a_smaller_cache_write_faster() -> None:
    shape = Shape.of(PUBLISHED["deepseek-math-7b-rl"])

    def seconds(gpu: str, assumed: Assumptions) -> float:
        return Writer(shape, Hardware(gpu, 1, *GPUS[gpu], None), assumed).written(10**6, 364, 769).seconds

    assert seconds("h200", Assumptions()) < seconds("h100", Assumptions())
    assert seconds("h100", Assumptions(cache_bytes=1)) < seconds("h100", Assumptions())
    assert seconds("h100", Assumptions(bandwidth_frac=0.5)) > 1.5 * seconds("h100", Assumptions())
    few = Writer(shape, Hardware("h100", 1, *GPUS["h100"], None), Assumptions()).written(3, 364, 769)
    assert few.num_rows == 3


@pytest.mark.parametrize(
    ("config", "numbers"),
    [
        ({}, 2 * 4 * 16 * 2 * 1000),  # every layer, all tokens
        ({"sliding_window": 100}, 2 * 4 * 16 * 2 * 100),
        ({"sliding_window": 100, "use_sliding_window": False}, 2 * 4 * 16 * 2 * 1000),
        ({"sliding_window": 100, "layer_types": ["sliding_attention", "full_attention"] * 2}, 2 * 16 * 2 * (2 * 100 + 2 * 1000)),
        ({"sliding_window": 100, "sliding_window_pattern": 4}, 2 * 16 * 2 * (3 * 100 + 1000)),
        ({"kv_lora_rank": 24, "qk_rope_head_dim": 8}, 4 * 32 * 1000),
        ({"num_key_value_heads": None}, 2 * 4 * 16 * 4 * 1000),
    ],
)  # fmt: skip
def test_caches_of_all_kinds_are_counted(config: dict, numbers: int) -> None:
    """Grouped heads, sliding windows in all layers or some, DeepSeek's compressed keys and values."""
    sizes = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 100,
    }
    assert Shape.of({**sizes, **config}).cached_numbers(1000) == numbers


def test_a_model_too_large_for_a_gpu_is_written_by_several() -> None:
    mixtral = Shape.of(PUBLISHED["mistralai/Mixtral-8x7B-v0.1"])
    writer = Writer(mixtral, Hardware("h100", 8, *GPUS["h100"], None), Assumptions())
    assert (writer.gpus_of_a_copy, writer.num_copies, writer.fault("evaluate")) == (2, 4, "")
    alone = Writer(mixtral, Hardware("h100", 1, *GPUS["h100"], None), Assumptions())
    assert "one copy needs 2 of 80 GB, and there are 1" in alone.fault("evaluate@mixtral")


def test_the_solver_stands_by_itself() -> None:
    """Four new solutions of each problem cost more than writing the corpus."""
    rows = rows_of("paper-7b", "h100")
    assert rows["filter_problems (solver)"]["device hours"] > rows["synthesize@corpus"]["device hours"]
    assert not any("solver" in stage for stage in rows_of("laptop"))


def test_what_stages_spend_beside_their_arithmetic_is_counted() -> None:
    rows = rows_of("paper-7b", "h100")
    trained = sum(
        rows[name]["hours"]
        for name in ("train_synthesizer", "boost_synthesizer", "train_reference", "pretrain@mistral")
    )
    checkpoints = rows["checkpoints of all trainings"]
    assert "86.9 GB" in checkpoints["work"]
    assert 0 < checkpoints["hours"] <= 0.0201 * (trained + rows["finetune@mistral (twice)"]["hours"])
    assert rows["tokens of all trainings"]["tokens"] > 4.6e9
    assert "13 starts" in rows["loading of all models"]["work"]


def test_checkpoints_are_planned_as_they_are_saved() -> None:
    assumed = Assumptions()
    assert (assumed.checkpoint_seconds, assumed.checkpoint_frac) == (CHECKPOINT_SECONDS, SHARE)
    assert assumed.write_gb_per_second * 1e9 == FIRST_RATE


def test_disk_and_host_memory_are_counted_and_judged() -> None:
    params = yaml.safe_load((ROOT / "profiles/paper-8x7b.yaml").read_text())
    hardware = Hardware("h100", 8, *GPUS["h100"], None)

    def told(assumed: Assumptions) -> tuple[float, list[str]]:
        def shape(name: str) -> Shape:
            return published_shape(name, params)

        works = works_of(params, hardware, assumed, shape)
        disk = disk_rows(params, works, assumed, shape)
        assert disk[-1]["GB"] == pytest.approx(sum(row["GB"] for row in disk[:-1]))
        return disk[-1]["GB"], faults_of(works, disk[-1]["GB"], hardware, assumed)

    twice, faults = told(Assumptions())
    once, _ = told(Assumptions(stored_copies=1))
    models = 12 * 46.7 + 2 * 2 * 46.7 + 2 * 2 * 6.9
    assert twice - once > models, "DVC's cache is a second copy"
    assert any(
        fault.startswith("pretrain@mixtral: weights") and "16 such devices would hold it" in fault for fault in faults
    )
    assert not any("host memory" in fault for fault in faults)
    assert any("pretrain@mixtral: 747 GB of host memory" in fault for fault in told(Assumptions(host_gb=50))[1])
    assert any(
        fault.startswith("the disk: ") and "it holds 1,000 GB" in fault for fault in told(Assumptions(disk_gb=1000))[1]
    )


def test_each_assumption_is_told_as_it_was_given() -> None:
    """Another value of any gives other words."""
    plain = Assumptions()
    for option in options_of(Assumptions):
        other = replace(plain, **{option.name: 1 if option.default in (0.4, 0.15, 0.75, 0.92, 0.02, 0.0) else 3})
        assert other.words() != plain.words(), option.name


FIGURES = {
    "device": "H",
    "is_quick": False,
    "matrix_tflops": 700.0,
    "full": {"mfu": 0.5},
    "generated_tokens_per_second": 4900.0,
    "num_active": 7.0e9,
}


def test_measured_figures_stand_in_the_place_of_assumptions(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps(FIGURES))
    hardware, assumed = with_measured(path, Hardware("h100", 8, *GPUS["h100"], None), Assumptions())
    assert (hardware.flop_per_second, assumed.mfu) == (700e12, 0.5)
    assert assumed.generation_mfu == pytest.approx(2 * 7e9 * 4900 / 700e12)
    done = CliRunner().invoke(plan, [str(ROOT / "profiles/pilot.yaml"), "--gpu", "h100", "--measured", str(path)])
    assert "as measured on H" in done.output, done.output
    assert "training runs at 50%" in done.output


def test_a_rate_of_vllm_corrects_the_share_that_binds(tmp_path: Path) -> None:
    path, writing = (
        tmp_path / "h100.json",
        {"engine": "vllm", "tokens_per_second": 5000.0, "planned_tokens_per_second": 6250.0},
    )
    hardware = Hardware("h100", 1, *GPUS["h100"], None)
    for bound, name in (("memory", "bandwidth_frac"), ("arithmetic", "generation_mfu")):
        path.write_text(
            json.dumps({"is_quick": False, "gpu": FIGURES, "gpu_writing": {**writing, "planned_bound": bound}})
        )
        _, assumed = with_measured(path, hardware, Assumptions())
        assert getattr(assumed, name) == pytest.approx(0.8 * getattr(Assumptions(), name))
    path.write_text(json.dumps({"gpu": FIGURES, "gpu_writing": {"failed": "no vLLM"}}))
    assert with_measured(path, hardware, Assumptions())[1].generation_mfu == pytest.approx(2 * 7e9 * 4900 / 700e12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_quick": True}, "made with --quick"), ({"full": None}, "not numbers"), ({"full": {"mfu": "x"}}, "not numbers"),
        ({"full": {"mfu": 1.5}}, "mfu = 1.5, which is not a share"), ({"matrix_tflops": 0}, "not numbers"),
    ],
)  # fmt: skip
def test_figures_that_say_nothing_are_refused(tmp_path: Path, change: dict, words: str) -> None:
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps({**FIGURES, **change}))
    done = CliRunner().invoke(plan, [str(ROOT / "profiles/pilot.yaml"), "--gpu", "h100", "--measured", str(path)])
    assert (done.exit_code, words in done.output) == (1, True), done.output
    path.write_text("[]")
    with pytest.raises(StageError, match=r"lacks device, .*python -m bench\.gpu"):
        with_measured(path, Hardware("h100", 8, *GPUS["h100"], None), Assumptions())


def test_the_models_of_another_profile_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a smoke run in the checkout, models/base holds a synthesizer of a million parameters under the paper's name."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "profiles/paper-7b.yaml").read_text())
    revision = params["models"]["mistral"]["revision"]
    told = {
        "synthesizer": {"kind": "config"},
        "mistral": {"kind": "hub", "name": "mistralai/Mistral-7B-v0.1", "revision": "0" * 40},
    }
    for name, provenance in told.items():
        tiny_model("llama").save_pretrained(tmp_path / "models/base" / name)
        (tmp_path / f"models/base/{name}/provenance.json").write_text(json.dumps(provenance))
    for name in told:
        assert shape_of(name, params) == published_shape(name, params)
    own = {**told["mistral"], "revision": revision}
    (tmp_path / "models/base/mistral/provenance.json").write_text(json.dumps(own))
    assert shape_of("mistral", params).hidden_size == 32, "its own folder counts"


def test_a_table_has_its_own_machines() -> None:
    done = CliRunner().invoke(plan, [str(ROOT / "profiles/pilot.yaml"), "--table", "--gpu", "h100"])
    assert (done.exit_code, "--table has its own machines" in done.output) == (1, True)
    dear = CliRunner().invoke(plan, [str(ROOT / "profiles/pilot.yaml"), "--table", "--usd-per-gpu-hour", "100"])
    assert "| 16 h100 |" in dear.output


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
