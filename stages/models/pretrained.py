"""Pretrained models from a hub or a disk: pinned, safetensors only, no code of their own, their traps mended.

    adopt_model(hub_model_folder(HubModel("hub", "mistralai/Mistral-7B-v0.1", "7231...")), Path("models/base/mistral"), {...})

Weights are copied as they are, whatever their size, and not loaded: but where the tokenizer knows more tokens than the model has
embeddings for (tokens that were added), the model is loaded, and the new ones begin as the mean of the others.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.core.files import whole, write_json
from stages.models.folders import PROVENANCE, library_versions, save_model
from stages.models.sections import HubModel, LocalModel

PATTERNS = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json"]  # fmt: skip


def hub_model_folder(model: HubModel) -> Path:
    """The files of a model of the hub on this disk, fetched if they are not there.

    Raises:
        StageError: it cannot be fetched; it has no safetensors.
    """
    try:
        folder = Path(snapshot_download(model.name, revision=model.revision, allow_patterns=PATTERNS))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise StageError(
            f"model {model.name} at {model.revision} cannot be fetched: {error}. If it is gated, accept its terms and log in "
            "(`hf auth login`)."
        ) from error
    return _with_safetensors(folder, model.name)


def local_model_folder(model: LocalModel) -> Path:
    """The folder of a model on this disk.

    Raises:
        StageError: it is not there; it has no safetensors.
    """
    if not (model.path / "config.json").is_file():
        raise StageError(
            f"model folder {str(model.path)!r} has no config.json. Put the model there, or correct its `path` in params.yaml "
            "(local_models)."
        )
    return _with_safetensors(model.path, str(model.path))


def _with_safetensors(folder: Path, name: str) -> Path:
    if not list(folder.glob("*.safetensors")):
        raise StageError(
            f"model {name} has no safetensors weights, and others are not read, as they can run code. Convert them where you trust "
            f"them (`AutoModelForCausalLM.from_pretrained(...).save_pretrained(FOLDER)`), and name the folder under local_models."
        )
    return folder


def adopt_model(folder: Path, out: Path, provenance: dict[str, Any]) -> None:
    """Write the model as a folder of this project's, whole or not at all."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if len(tokenizer) > config["vocab_size"]:
        _save_resized(folder, out, tokenizer, provenance)
    else:
        _save_copied(folder, out, tokenizer, provenance)


def _save_resized(folder: Path, out: Path, tokenizer: PreTrainedTokenizerBase, provenance: dict[str, Any]) -> None:
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", trust_remote_code=False, use_safetensors=True, local_files_only=True
    )
    torch.manual_seed(0)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    save_model(model, tokenizer, out, provenance)


def _save_copied(folder: Path, out: Path, tokenizer: PreTrainedTokenizerBase, provenance: dict[str, Any]) -> None:
    with whole(out) as temporary:
        temporary.mkdir()
        for pattern in ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"):
            for file in folder.glob(pattern):
                shutil.copyfile(file, temporary / file.name)
        tokenizer.save_pretrained(temporary)
        write_json({**provenance, "versions": library_versions()}, temporary / PROVENANCE)


def stored_parameters(folder: Path) -> int:
    """The numbers in a folder's weights, from the files' headers."""
    total = 0
    for file in folder.glob("model*.safetensors"):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118
                total += torch.Size(weights.get_slice(name).get_shape()).numel()
    return total
