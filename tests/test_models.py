"""Models in the hub's format: pinned revisions, tokenizers with their traps, adapters, what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from tokenizers.processors import TemplateProcessing

from stages.core.command import StageError
from stages.models.adopt_model import main as adopt
from stages.models.folders import load_model, load_tokenizer
from stages.models.merge_adapter import main as merge_adapter
from stages.models.prepare_models import main as prepare_models
from stages.models.pretrained import adopt_model, local_model_folder, stored_parameters
from stages.models.sections import HubModel, LocalModel
from stages.models.tokenization import encode_prompt, tokenize
from stages.problems.student_format import Example
from tests.conftest import ROOT
from tests.published import hub_folder
from tests.tiny import tiny_model, tiny_tokenizer

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("architecture", ["llama", "mistral", "mixtral"])
def test_a_model_is_adopted_as_it_is(architecture: str, tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "published", architecture)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    adopt_model(local_model_folder(LocalModel(folder)), tmp_path / "base", {"kind": "local"})
    ours, published = load_model(tmp_path / "base"), tiny_model(architecture)
    for name, weight in published.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight)
    assert load_tokenizer(tmp_path / "base").pad_token_id is not None
    assert stored_parameters(tmp_path / "base") == sum(p.numel() for p in published.parameters())
    assert json.loads((tmp_path / "base/provenance.json").read_text())["kind"] == "local"


@pytest.mark.slow
def test_a_hub_model_comes_from_its_pinned_revision(tmp_path: Path) -> None:
    """From a cache in the hub's layout, offline, through the stage's own command; beside it, one that is not there."""
    repository = tmp_path / "hub/models--someone--tiny"
    hub_folder(repository / "snapshots" / REVISION)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("f" * 40)
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}

    def prepare(out: str, revision: str) -> subprocess.Popen[str]:
        options = ["--kind", "hub", "--name", "someone/tiny", "--revision", revision]
        command = [
            sys.executable,
            "-m",
            "stages.models.prepare_models",
            str(tmp_path / out),
            "texts",
            "problems",
            *options,
        ]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    pinned, other = prepare("base", REVISION), prepare("other", "e" * 40)
    errors = [process.communicate()[1] for process in (pinned, other)]
    assert pinned.returncode == 0, errors
    assert load_model(tmp_path / "base").config.model_type == "llama"
    assert other.returncode == 1
    assert "cannot be fetched" in errors[1]
    assert "Traceback" not in errors[1]
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("revision", ["main", ""])
def test_what_is_not_pinned_is_refused(revision: str) -> None:
    with pytest.raises(ValueError, match="not a commit of 40 hex digits"):
        HubModel("hub", "mistralai/Mistral-7B-v0.1", revision)


def test_a_folder_that_is_no_model_is_refused() -> None:
    with pytest.raises(StageError, match=r"'/nowhere' has no config\.json"):
        local_model_folder(LocalModel(Path("/nowhere")))


def test_an_option_of_another_kind_is_refused() -> None:
    arguments = ["base", "texts", "problems", "--kind", "hub", "--name", "a/b", "--revision", REVISION]
    done = CliRunner().invoke(prepare_models, [*arguments, "--hidden-size", "64"])
    assert "--hidden-size is not an option of kind hub" in done.output
    missing = CliRunner().invoke(prepare_models, ["base", "texts", "problems", "--kind", "hub", "--name", "a/b"])
    assert "kind hub: missing option revision" in missing.output


def test_a_local_model_is_adopted_by_its_own_command(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "published")
    done = CliRunner().invoke(adopt, [str(tmp_path / "base"), "--path", str(folder)])
    assert done.exit_code == 0, done.output
    provenance = json.loads((tmp_path / "base/provenance.json").read_text())
    assert (provenance["kind"], provenance["path"]) == ("local", str(folder))


def test_weights_that_can_run_code_are_refused(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "published")
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    torch.save(tiny_model("llama").state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(StageError, match="no safetensors weights"):
        local_model_folder(LocalModel(folder))


def test_a_beginning_is_never_doubled() -> None:
    """Llama's tokenizers put a BOS in front by themselves; prompts have exactly one, outputs none."""
    ours, eager, plain = tiny_tokenizer(), tiny_tokenizer(), tiny_tokenizer()
    bos = eager.bos_token
    eager.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, eager.bos_token_id)]
    )
    plain.add_bos_token = False
    assert eager("Tom")["input_ids"][0] == eager.bos_token_id != plain("Tom")["input_ids"][0]
    assert encode_prompt("Tom", eager) == encode_prompt("Tom", ours)
    (one,), _ = tokenize([Example("Tom", " has")], eager, 99)
    (other,), _ = tokenize([Example("Tom", " has")], ours, 99)
    assert one == other
    assert one.input_ids.count(eager.bos_token_id) == 1
    assert one.input_ids[-1] == eager.eos_token_id
    assert encode_prompt("Tom", plain) == plain("Tom")["input_ids"], "SmolLM2's have one, and do not begin with it"
    ours.bos_token = None  # Qwen's have none
    assert encode_prompt("Tom", ours) == ours("Tom", add_special_tokens=False)["input_ids"]


def test_added_tokens_get_embeddings(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "published")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([f"<extra{i}>" for i in range(310 - len(tokenizer))])
    tokenizer.save_pretrained(folder)
    adopt_model(folder, tmp_path / "base", {})
    model = load_model(tmp_path / "base")
    assert model.get_input_embeddings().weight.shape[0] == len(load_tokenizer(tmp_path / "base")) == 310
    before = tiny_model("llama").get_input_embeddings().weight
    torch.testing.assert_close(model.get_input_embeddings().weight[:300], before)
    assert model.get_input_embeddings().weight[300:].std() < before.std(), "near the mean of the others"


def test_an_adapter_is_merged(tiny_model_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = get_peft_model(load_model(tiny_model_folder), lora).eval()
    adapted.save_pretrained(str(tmp_path / "adapter"))
    done = CliRunner().invoke(
        merge_adapter, [str(tiny_model_folder), str(tmp_path / "adapter"), str(tmp_path / "merged")]
    )
    assert done.exit_code == 0, done.output
    ids = torch.tensor([[1, 5, 9, 20]])
    merged = load_model(tmp_path / "merged").eval()
    torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, atol=1e-5, rtol=1e-4)
    assert (merged(ids).logits - load_model(tiny_model_folder).eval()(ids).logits).abs().max() > 1e-3
    assert all("lora" not in name for name in load_file(tmp_path / "merged/model.safetensors"))
    shutil.rmtree(tmp_path / "adapter")
    refused = CliRunner().invoke(
        merge_adapter, [str(tiny_model_folder), str(tmp_path / "adapter"), str(tmp_path / "x")]
    )
    assert "has no adapter_model.safetensors" in refused.output
