"""A plan counts what the stages learn, refuses what they refuse, and tells what is wrong with a profile."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from click.testing import CliRunner, Result

from stages.benchmarks.sections import BenchmarkKind
from stages.core.command import StageError
from stages.project.assumptions import Assumptions
from stages.project.learnt_counts import TEST_SETS, TRAINING_SETS, finetune_counts, pretrain_counts, problem_count
from stages.project.params import read_params
from stages.project.plan import main as plan
from stages.project.profile_shapes import shape_of
from tests.conftest import ROOT

ALL = {"cot": 6789, "tool": 2511, "target": 14_973, "example": 2_860_000}


def profile_with(changes: dict[str, Any], name: str = "paper-7b") -> dict[str, Any]:
    """A profile with other values at some places: {"finetune.mix": [...]}."""
    params = read_params(ROOT / f"profiles/{name}.yaml").model_dump(mode="json", exclude_none=True)
    for place, value in changes.items():
        *path, last = place.split(".")
        section = params
        for key in path:
            section = section[key]
        section[last] = value
    return params


def planned(folder: Path, changes: dict[str, Any], name: str = "paper-7b", count: int = 8) -> Result:
    (folder / "p.yaml").write_text(json.dumps(profile_with(changes, name)))  # JSON is YAML
    return CliRunner().invoke(plan, [str(folder / "p.yaml"), "--gpu", "h100", "--num-gpus", str(count)])


def test_fine_tuning_learns_the_teachers_problems_too() -> None:
    """9,300 of them, of which 27% are tool problems; 7,473 of GSM8K and 7,500 of MATH; and the release's rows."""
    assert finetune_counts(profile_with({}), Assumptions()) == ALL


@pytest.mark.parametrize(
    ("mix", "counts"),
    [
        (["target=1.0"], {"cot": 0, "tool": 0, "target": 14_973, "example": 0}),
        (["cot=0.5", "target=0.5"], {"cot": 6789, "tool": 0, "target": 6789, "example": 0}),
        (["target=0.25", "example=0.75"], {"cot": 0, "tool": 0, "target": 14_973, "example": 3 * 14_973}),
    ],
)
def test_a_mix_takes_its_shares_of_what_is_there(mix: list[str], counts: dict[str, int], tmp_path: Path) -> None:
    changes = {"finetune.mix": mix}
    assert finetune_counts(profile_with(changes), Assumptions()) == counts
    assert f"{sum(counts.values()):,} examples" in " ".join(planned(tmp_path, changes).output.split())


def test_pre_training_learns_its_share_in_its_mix() -> None:
    half = profile_with({"pretrain.frac": 0.5})
    assert sum(pretrain_counts(half, Assumptions()).values()) == 3_000_000
    most = profile_with({"pretrain.max_problems": 1_000_000, "pretrain.mix": ["cot=0.5", "tool=0.5"]})
    assert pretrain_counts(most, Assumptions()) == {"cot": 500_000, "tool": 500_000}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finetune.mix": ["target=0.5", "example=0.5"], "examples": {}}, "finetune.mix: there are no examples of example; remove it from the mix"),
        ({"pretrain.mix": ["cot=0.5", "tool=0.5"], "pretrain.frac": 0.9}, "pretrain.mix: 0.9 of all 6,000,000 problems are 5,400,000"),
        ({"train_reference.optimizer": "muon"}, "train_reference.optimizer is 'muon'"),
        ({"finetune.target": ["gsm9k"]}, "Did you mean 'gsm8k'?"),
    ],
)  # fmt: skip
def test_what_a_stage_refuses_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    done = planned(tmp_path, changes)
    assert (done.exit_code, words in done.output) == (1, True), done.output


def test_muon_on_sharded_models_does_not_fit(tmp_path: Path) -> None:
    told = "optimizer 'muon' needs whole matrices, and this model is sharded over 8 devices. Set adamw."
    changes = {
        "train_synthesizer.initial.optimizer": "muon",
        "pretrain.optimizer": "muon",
        "finetune.optimizer": "muon",
    }
    output = planned(tmp_path, changes).output
    for stage in ("train_synthesizer", "pretrain@mistral", "finetune@mistral (twice)"):
        assert f"Does not fit: {stage}: {told}" in output
    assert f"boost_synthesizer: {told}" not in output
    assert (
        "muon" not in planned(tmp_path, {"pretrain.optimizer": "muon", "finetune.optimizer": "muon"}, "pilot", 1).output
    )


def test_every_kind_has_a_published_number() -> None:
    kinds = set(get_args(BenchmarkKind))
    assert set(TEST_SETS) == kinds - {"plain"}, "which is no benchmark's own"
    assert set(TRAINING_SETS) < kinds
    benchmarks = profile_with({}, "real-texts")["benchmarks"].values()
    assert {one["kind"]: one["num_problems"] for one in benchmarks} == {**TEST_SETS, "math": 500}, (
        "MATH-500 is a part of MATH"
    )


@pytest.mark.parametrize("kind", TEST_SETS)
def test_a_file_of_any_number_is_the_published_set(kind: str) -> None:
    target = {"kind": kind, "path": "inputs/t.jsonl", "num_problems": 0, "max_problems": 0}
    number = TRAINING_SETS.get(kind, TEST_SETS[kind])
    params = profile_with({"targets": {"mine": target}, "finetune.target": []})
    assert finetune_counts(params, Assumptions())["target"] == number > 0
    target["max_problems"] = 10
    assert finetune_counts(params, Assumptions())["target"] == 10
    assert problem_count("benchmarks.mine", {"kind": kind, "num_problems": 0}, TEST_SETS) == TEST_SETS[kind]


def test_a_file_whose_number_nobody_knows_must_be_counted(tmp_path: Path) -> None:
    mine = {"kind": "plain", "path": "inputs/t.jsonl", "num_problems": 0}
    for changes, place in (
        ({"targets": {"mine": {**mine, "max_problems": 0}}}, "targets.mine"), ({"benchmarks": {"mine": mine}, "evaluate.max_problems": 0}, "benchmarks.mine"),
    ):  # fmt: skip
        more = {"finetune.target": [], "estimate_value.target": [], "evaluate.benchmark": [], "evaluate.shots": []}
        done = planned(tmp_path, {**more, **changes})
        assert done.exit_code == 1
        assert f"{place}.num_problems is 0, and a file of kind plain may have any number" in done.output
        next(iter(changes.values()))["mine"]["num_problems"] = 50
        assert planned(tmp_path, {**more, **changes}).exit_code == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"examples": None}, "examples is null"), ({"models.mistral": {"kind": "config", "num_heads": 0}}, "models.mistral.num_heads is 0"),
        ({"students": 3}, "students"), ({"pretrain": []}, "pretrain"), ({"sample_texts.num_synthesis": "many"}, "sample_texts.num_synthesis"),
        ({"targets.gsm8k.kind": "gsm9k"}, "targets.gsm8k.kind"), ({"models": {}}, "models"), ({"finetune.mix": ["target"]}, "finetune.mix"),
    ],
)  # fmt: skip
def test_a_fault_of_a_profile_is_told_with_its_place(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    done = planned(tmp_path, changes)
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (1, True), done.exception
    assert words in done.output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"sources: {}\n", "to correct"), (b"a: [\n", "is not valid YAML"), (b"", "has no sections"), (b"- a\n", "has no sections"),
        ("# für\n".encode("latin-1"), "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_profile_is_told(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    done = CliRunner().invoke(plan, [str(tmp_path / "p.yaml"), "--gpu", "h100"])
    assert (done.exit_code, isinstance(done.exception, SystemExit), words in done.output) == (1, True, True), (
        done.output
    )


def test_a_price_that_is_no_number_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_USD_PER_GPU_HOUR", "2,50")
    assert "NINECHAPTERS_USD_PER_GPU_HOUR is '2,50'" in planned(tmp_path, {}).output
    monkeypatch.setenv("NINECHAPTERS_USD_PER_GPU_HOUR", "")
    assert planned(tmp_path, {}).exit_code == 0


def test_sizes_that_a_profile_leaves_out_are_the_sections_own(tmp_path: Path) -> None:
    """A model with random weights need not tell its sizes."""
    params = profile_with({"models.mistral": {"kind": "config", "max_length": 4096}})
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(params))
    done = CliRunner().invoke(plan, [str(tmp_path / "p.yaml"), "--gpu", "h100", "--num-gpus", "8"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"vocab_size": 5, "hidden_size": 8}'])
def test_a_models_config_without_sizes_is_told(config: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(StageError, match=r"config\.json does not give the sizes of a language model"):
        shape_of("mine", {"models": {}, "local_models": {"mine": {"path": str(tmp_path)}}})
