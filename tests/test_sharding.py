"""A model sharded over two processes on CPUs (gloo): real FSDP 2, which learns what one process learns."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stages.core.command import StageError
from stages.models import folders as models_module
from stages.models.folders import load_model, save_model
from stages.training import launch
from stages.training.checkpoints import checkpoints_in
from stages.training.job import LoraPlan
from stages.training.run import train
from stages.training.seal import write_seal
from stages.training.sharding import empty_model, layers_of
from tests.forked import ForkServer
from tests.look import EXAMPLES, PLAN, WORKER, curve, seen_in
from tests.tiny import tiny_model, tiny_tokenizer

SHARDED = {"NINECHAPTERS_PROCESSES": "2", "NINECHAPTERS_FSDP": "1"}


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fork_server: ForkServer) -> None:
    """A folder of its own; the processes of a training are forked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(fork_server.bin / "python"))
    monkeypatch.setattr(models_module, "CPU_THREADS", 1)
    monkeypatch.setattr(launch, "WORKER", WORKER)


def run(base: Path, name: str, **options: object) -> Path:
    train(name, [base], EXAMPLES, PLAN, Path(name), Path(f"{name}-curve"), **options)  # type: ignore[arg-type]
    return Path(name)


def assert_same(folder: Path, other: Path, files: tuple[str, ...], tolerance: float = 1e-4) -> None:
    """In bfloat16, where the machine has it, sums of another order differ more."""
    tolerance = 0.02 if models_module.has_bf16() else tolerance
    for file in files:
        ours, theirs = load_file(folder / file), load_file(other / file)
        assert {name: (v.shape, v.dtype) for name, v in ours.items()} == {
            n: (v.shape, v.dtype) for n, v in theirs.items()
        }
        for name, value in ours.items():
            assert (value - theirs[name]).abs().max() <= tolerance * theirs[name].abs().max().clamp(min=1e-6), name


@pytest.mark.slow
def test_a_sharded_training_is_one_process_s(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FSDP modules and DTensors; interrupted after four steps and gone on with; then fine-tuned with its optimizer's state."""
    one = run(tiny_model_folder, "one", keep_optimizer=True)
    tuned = run(one, "tuned", continue_optimizer=True)
    for name, value in {**SHARDED, "NINECHAPTERS_GRADIENT_CHECKPOINTING": "1", "STOP_AT": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model_folder, "two", keep_optimizer=True)
    assert not Path("two").exists()
    (checkpoint,) = checkpoints_in(next(Path(".work").glob("two-*")))
    assert checkpoint.name == "checkpoint-4"  # the signal of step 3 came after it was looked for
    sizes = [path.stat().st_size for path in (checkpoint / "parts").glob("*.distcp")]
    assert len(sizes) == 2
    assert max(sizes) < 1.2 * min(sizes), "each process writes its part"
    for number, look in enumerate(seen_in(Path())):
        assert look["fsdp_modules"] == 3, "two layers, and the rest"
        assert look["parameters"] == look["moments"] == ["DTensor"]
        assert look["held_share"] == pytest.approx(0.5, abs=0.05)
        assert look["read"] == ["weights"] * (number == 0)
    monkeypatch.setenv("STOP_AT", "0")
    two = run(tiny_model_folder, "two", keep_optimizer=True)
    assert [look["begins_at"] for look in seen_in(Path())] == [4, 4]
    assert [(look["gathered"] > 0, look["saved"]) for look in seen_in(Path())] == [(True, 1), (False, 0)]
    for column in ("loss", "gradient_norm", "learning_rate"):
        assert curve(Path("two-curve"), column) == pytest.approx(curve(Path("one-curve"), column), rel=2e-3)
    assert_same(two, one, ("model.safetensors", "optimizer/state-00001.safetensors"))
    for file in ("config.json", "tokenizer.json", "generation_config.json"):
        assert (two / file).read_bytes() == (one / file).read_bytes()
    assert_same(run(two, "tuned-two", continue_optimizer=True), tuned, ("model.safetensors",), 2e-3)


@pytest.mark.slow
def test_a_sharded_reference_is_one_process_s(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = run(tiny_model_folder, "one", lora=LoraPlan(4, 8, 2))
    for name, value in SHARDED.items():
        monkeypatch.setenv(name, value)
    two = run(tiny_model_folder, "two", lora=LoraPlan(4, 8, 2))
    assert all(look["fsdp_modules"] == 3 and look["parameters"] == ["DTensor"] for look in seen_in(Path()))
    for number in (1, 2):
        files = (f"checkpoint-{number}/adapter_model.safetensors", f"checkpoint-{number}/adam_moments.safetensors")
        assert_same(two, one, files, 1e-3)
    assert (two / "checkpoint-1/adapter_config.json").read_bytes() == (
        one / "checkpoint-1/adapter_config.json"
    ).read_bytes()


@pytest.mark.slow
def test_two_whole_copies_read_once_and_go_on(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DistributedDataParallel: the first process reads the weights, and of a checkpoint all, for both."""
    one = run(tiny_model_folder, "one")
    monkeypatch.setenv("NINECHAPTERS_PROCESSES", "2")
    monkeypatch.setenv("STOP_AT", "3")
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model_folder, "two")
    monkeypatch.setenv("STOP_AT", "0")
    assert_same(run(tiny_model_folder, "two"), one, ("model.safetensors",))
    assert all(look["begins_at"] == 4 and look["parameters"] == ["Parameter"] for look in seen_in(Path()))
    assert [look["read"] for look in seen_in(Path())] == [["weights", "optimizer"], []]
    assert curve(Path("two-curve"), "loss") == pytest.approx(curve(Path("one-curve"), "loss"), rel=2e-3)


@pytest.mark.slow
def test_experts_and_a_head_of_its_own_in_bfloat16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mixtral's router loss is an average of each forward pass: it depends on how a step is divided, and is left out."""
    model = tiny_model("mixtral")
    model.config.tie_word_embeddings, model.config.router_aux_loss_coef = False, 0.0
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone().flip(0))
    save_model(model, tiny_tokenizer(), tmp_path / "base", {}, dtype=torch.bfloat16)
    one = run(tmp_path / "base", "one")
    for name, value in SHARDED.items():
        monkeypatch.setenv(name, value)
    assert_same(run(tmp_path / "base", "two"), one, ("model.safetensors",), 1e-2)


@pytest.mark.slow
def test_a_refusal_is_said_once(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in SHARDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "WORKER", ["-m", "stages.training.worker"])
    plan = replace(PLAN, optimizer="muon")
    with pytest.raises(StageError, match=r"^t: optimizer 'muon' needs whole matrices"):
        train("t", [tiny_model_folder], EXAMPLES, plan, Path("out"), Path("curve"))
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "needs whole matrices" not in said, "the stage says it, not its processes"


def test_a_checkpoint_of_the_other_kind_is_refused(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / ".work/one-12345678"
    monkeypatch.setattr("stages.training.run.work_folder", lambda *_: work)
    (work / "checkpoint-3/parts").mkdir(parents=True)
    (work / "checkpoint-3/parts/0.pt").write_bytes(b"a part")
    write_seal(work / "checkpoint-3")
    with pytest.raises(StageError, match=r"was sharded, and this run is unsharded\. Set NINECHAPTERS_FSDP=1"):
        run(tiny_model_folder, "one")


def test_one_process_alone_is_not_sharded(tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_FSDP", "1")
    with pytest.raises(StageError, match="there is only one process"):
        run(tiny_model_folder, "one")


@pytest.mark.parametrize("architecture", ["llama", "mixtral"])
def test_a_model_without_weights_has_the_same_modules(architecture: str, tmp_path: Path) -> None:
    """And the same matrices that stand at two places: else processes send one more than others wait for."""
    save_model(tiny_model(architecture), tiny_tokenizer(), tmp_path / "base", {})
    real, empty = load_model(tmp_path / "base"), empty_model(tmp_path / "base", torch.float32)
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert [(n, p.shape, p.dtype) for n, p in empty.named_parameters()] == [
        (n, p.shape, p.dtype) for n, p in real.named_parameters()
    ]
    buffers = dict(real.named_buffers())
    assert buffers.keys() == dict(empty.named_buffers()).keys()
    assert all(torch.equal(buffers[name], buffer) for name, buffer in empty.named_buffers())
    assert len(list(layers_of(empty))) == 2
