"""A model of billions of parameters runs on CPUs only where somebody says so; on a Ray cluster the driver needs no GPU."""

import json
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.evaluation import reference_solutions, tasks
from stages.evaluation.reference_solutions import make_losses
from stages.evaluation.sections import EvaluationSettings
from stages.evaluation.tasks import EvaluationJob, make_predictions
from stages.generation import copies, engine, likelihoods
from stages.generation.interface import Prompt, Sampling

SETTINGS = EvaluationSettings(
    benchmark=(), max_problems=0, num_samples=1, max_tokens=9, temperature=0.0, top_p=0.95, majority_samples=0,
    majority_temperature=0.7, reference_loss=True, shots=(),
)  # fmt: skip


@pytest.fixture
def seven_billion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a Mistral-7B without its weights, on a machine without a GPU."""
    for name in ("NINECHAPTERS_ENGINE", "NINECHAPTERS_SERVER", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    sizes = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
    folder = tmp_path / "models/mistral"
    folder.mkdir(parents=True)
    config = {"model_type": "mistral", "num_key_value_heads": 8, "vocab_size": 32000, **sizes}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_it_is_not_written_with_in_silence(seven_billion: Path) -> None:
    with pytest.raises(
        StageError,
        match=r"has 7\.2 billion parameters and there is no GPU here: \d+ GB of weights in \w+, of \d+ GB of memory, and about [\d.]+ "
        r"tokens/s on \d+ CPUs\. Set RAY_ADDRESS .* or NINECHAPTERS_SERVER .*, set NINECHAPTERS_ENGINE=transformers",
    ):
        engine.generate(seven_billion, [Prompt("a")], Sampling(5))


@pytest.mark.parametrize("server", ["", "http://127.0.0.1:9/v1"])
def test_it_is_not_read_in_silence_beside_a_server(
    server: str, seven_billion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NINECHAPTERS_SERVER", server)
    with pytest.raises(StageError, match="reference_loss to false"):
        likelihoods.likelihoods(seven_billion, [Prompt("a", num_asked=0)])


def test_whoever_asks_for_it_is_told_how_slow_it_is(
    seven_billion: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NINECHAPTERS_ENGINE", "transformers")
    for _ in range(2):
        copies.check_cpus(seven_billion, "")
    assert capsys.readouterr().err.count("billion parameters and there is no GPU here") == 1


def test_neither_a_small_one_nor_a_gpu_is_in_its_way(
    seven_billion: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies.check_cpus(tiny_model_folder, "")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    copies.check_cpus(seven_billion, "")


@pytest.mark.parametrize("server", ["", "http://127.0.0.1:9/v1"])
def test_a_driver_without_a_gpu_leaves_all_to_its_cluster(
    server: str, seven_billion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss on reference solutions beside a server, too, which only writes."""
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setenv("NINECHAPTERS_SERVER", server)
    spread: list[str] = []

    def made(job: object, missing: list[int], **_: int) -> list[tuple[int, bytes]]:
        spread.append(type(job).__name__)
        return []

    monkeypatch.setattr(tasks, "made_shards", made)
    monkeypatch.setattr(reference_solutions, "made_shards", made)
    job = EvaluationJob(seven_billion, {}, SETTINGS, tmp_path, tmp_path)
    make_losses(job, tmp_path)
    assert spread == ["ReferenceJob"]
    if not server:
        make_predictions(job, tmp_path)
        assert spread == ["ReferenceJob", "EvaluationJob"]
    assert engine.narrow_type(seven_billion) == {}, "the nodes' type is not the driver's"
