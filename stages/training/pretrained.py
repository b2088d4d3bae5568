"""Pretrained models from a hub or a disk: pinned, safetensors only, no code of their own, their traps mended.

    adopt_model(pretrained_folder("mistralai/Mistral-7B-v0.1", "<40 hex digits>", is_hub=True), Path("models/base/mistral"), {...})

Weights are copied as they are, whatever their size, and not loaded: but where the tokenizer knows more tokens than the model has
embeddings for (tokens that were added), the model is loaded, and the new ones begin as the mean of the others.
"""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.core.tables import write_json
from stages.training.models import PROVENANCE, library_versions, save_model

PATTERNS = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json"]  # fmt: skip


def pretrained_folder(name: str, revision: str, is_hub: bool) -> Path:
    """The model's files on this disk, fetched if they are not there.

    Raises:
        StageError: a hub model without a pinned revision, or that cannot be fetched; a folder that is not there; no safetensors.
    """
    if is_hub and not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise StageError(
            f"model {name}: revision {revision!r} is not a commit of 40 hex digits. Pin it in params.yaml (the commit that the "
            f"model's page shows under History)."
        )
    if not is_hub and not (Path(name) / "config.json").is_file():
        raise StageError(f"model folder {name!r} has no config.json. Correct `name` of the model in params.yaml.")
    folder = _fetched(name, revision) if is_hub else Path(name)
    if not list(folder.glob("*.safetensors")):
        raise StageError(
            f"model {name} has no safetensors weights, and others are not read, as they can run code. Convert them where you trust "
            f"them (`AutoModelForCausalLM.from_pretrained(...).save_pretrained(FOLDER)`), and name the folder with kind: local."
        )
    return folder


def _fetched(name: str, revision: str) -> Path:
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise StageError(
            f"model {name} at {revision} cannot be fetched: {error}. If it is gated, accept its terms and log in (`hf auth login`)."
        ) from error


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
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for pattern in ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"):
            for file in folder.glob(pattern):
                shutil.copyfile(file, temporary / file.name)
        tokenizer.save_pretrained(temporary)
        write_json({**provenance, "versions": library_versions()}, temporary / PROVENANCE)
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def stored_parameters(folder: Path) -> int:
    """The numbers in a folder's weights, from the files' headers."""
    total = 0
    for file in folder.glob("model*.safetensors"):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118
                total += torch.Size(weights.get_slice(name).get_shape()).numel()
    return total
