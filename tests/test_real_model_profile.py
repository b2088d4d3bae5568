"""The profile smollm2 as a user runs it, with a tiny GGUF file in the place of the model: its inputs brought, its synthesizer trained."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.project.yaml_files import load_yaml
from tests.conftest import ROOT
from tests.forked import ForkServer
from tests.published import gguf_tensors, gguf_values, write_gguf
from tests.test_smoke import clone_of_tree, run
from tests.tiny import tiny_model, tiny_tokenizer

pytest.importorskip("gguf", reason="the package gguf is not installed")
pytestmark = pytest.mark.slow

BENCHMARKS = ROOT / "stages/builtin/benchmarks"


def tiny_profile(path: Path) -> None:
    """The profile with one benchmark and target, which the user brings, three texts a set, and the tiny file for the package's."""
    values = load_yaml(ROOT / "profiles/smollm2.yaml")
    for section in ("benchmarks", "targets"):
        values[section] = {"gsm8k": {**values[section]["gsm8k"], "num_problems": 0}}
    values["sources"] = {"web": {"kind": "jsonl", "path": "stages/builtin/corpus/web.jsonl"}}
    values["ingest_corpus"].update(min_chars=25, min_math=0.0)
    values["sample_texts"].update(num_initial=6, num_candidate=3, num_synthesis=3)
    values["select_texts"]["num_texts"] = 3
    values["models"] = {name: {"kind": "gguf", "path": "inputs/models/tiny.gguf"} for name in values["models"]}
    with path.open("w") as stream:
        YAML().dump(values, stream)


def users_folder(folder: Path) -> Path:
    """A folder laid out as inputs/ is: a benchmark, a target and a model's file."""
    for name, content in (("benchmarks/gsm8k", "grade"), ("targets/gsm8k_train", "grade_target")):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(BENCHMARKS / f"{content}.jsonl", folder / f"{name}.jsonl")
    model = tiny_model("llama", max_length=1024)
    (folder / "models").mkdir()
    write_gguf(folder / "models/tiny.gguf", gguf_values(model, tiny_tokenizer()), gguf_tensors(model))
    return folder


def test_its_first_half_runs_on_what_was_brought(tmp_path: Path, fork_server: ForkServer) -> None:
    clone = clone_of_tree(tmp_path / "ninechapters")
    tiny_profile(clone / "params.yaml")
    (clone / "dvc.lock").unlink(missing_ok=True)
    bring = (sys.executable, "-m", "stages.project.bring")
    assert "3 files linked or fetched" in run(*bring, "--folder", str(users_folder(tmp_path / "data")), folder=clone)
    run(
        "dvc",
        "repro",
        "train_synthesizer",
        "prepare_models@smollm2",
        "prepare_targets",
        folder=clone,
        forks=fork_server,
    )
    for name in ("synthesizer", "smollm2"):
        assert (
            json.loads((clone / f"models/base/{name}/provenance.json").read_text())["path"] == "inputs/models/tiny.gguf"
        )
    assert (clone / "models/synthesizer/initial/model.safetensors").is_file()
    assert run("dvc", "status", "train_synthesizer", folder=clone).strip().endswith("up to date.")
