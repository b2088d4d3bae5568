"""Pretrained models from a hub or a disk: pinned, safetensors only, no code of their own, checked, their traps mended.

    adopt_model(hub_model_folder(HubModel("hub", "mistralai/Mistral-7B-v0.1", "7231...")), Path("models/base/mistral"), {...})

Weights are copied as they are, whatever their size and type: but where the tokenizer knows more tokens than the model has
embeddings for (tokens that were added), the model is loaded, and the new ones begin as the mean of the others.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from stages.core.command import StageError, say
from stages.core.files import whole, write_json
from stages.models.cached_agreement import check_reading
from stages.models.folders import PROVENANCE, library_versions, save_model
from stages.models.model_config import config_values, read_config
from stages.models.own_tokens import adopted_tokenizer
from stages.models.packed_agreement import check_packing, first_layers, unfit_for_value
from stages.models.rotary_reach import reach_of
from stages.models.sections import HubModel, LocalModel
from stages.models.weight_files import DTYPES, INDEX, SINGLE, Stored, check_finite, stored_weights, weight_files
from stages.models.weight_fit import check_weights

PATTERNS = [
    "model*.safetensors", INDEX, "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "chat_template*",
]  # fmt: skip
GENERATION = "generation_config.json"


def hub_model_folder(model: HubModel) -> Path:
    """The files of a model of the hub on this disk, fetched if they are not there.

    Raises:
        StageError: it cannot be fetched.
    """
    return hub_folder(model.name, model.revision)


def hub_folder(name: str, revision: str) -> Path:
    """The same by name and revision, which may be a branch or a tag; the folder is named by its commit.

    Raises:
        StageError: it cannot be fetched.
    """
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        told = " ".join(str(error).split()).rstrip(".")  # of several lines
        raise StageError(
            f"model {name} at {revision} cannot be fetched: {told}. If it is gated, accept its terms and log in "
            "(`hf auth login`)."
        ) from error


def local_model_folder(model: LocalModel) -> Path:
    """The folder of a model on this disk.

    Raises:
        StageError: it is not there, or has no config or no safetensors.
    """
    config_values(model.path)
    weight_files(model.path)
    return model.path


def adopt_model(folder: Path, out: Path, provenance: dict[str, Any], has_chat: bool = True) -> None:
    """Write the model as a folder of this project's, whole or not at all; without its chat template where `has_chat` is false.

    Raises:
        StageError: config, weights or tokenizer are missing, broken or do not belong together, or packed logits are not the
            model's own: one sentence, with the file, the tensor and what to do.
    """
    called = provenance.get("name") or out
    config, files = read_config(folder), weight_files(folder)
    stored = stored_weights(files)
    tokenizer = adopted_tokenizer(folder, config, has_chat)
    generation = generation_values(folder, tokenizer, max(len(tokenizer), config.vocab_size))
    check_weights(folder, config, stored)
    check_finite(stored)
    model = first_layers(folder, config)
    _check_numbers(model, folder)
    check_reading(model)
    check_packing(model)
    if reason := unfit_for_value(model):
        say(f"{called}: it can be a student but not the synthesizer, which value estimation needs: {reason}")
    del model
    if (reach := reach_of(config)) and reach < config.max_position_embeddings:
        say(
            f"{called}: {reach:,} of its {config.max_position_embeddings:,} positions are used: beyond them, texts in a "
            f"batch would affect each other"
        )
    facts = {**provenance, **sizes_of(config, stored), "num_tokens": len(tokenizer)}
    if len(tokenizer) > config.vocab_size:
        _save_resized(folder, out, tokenizer, facts, generation)
    else:
        _save_copied(folder, files, out, tokenizer, facts, generation)


def _check_numbers(model: PreTrainedModel, folder: Path) -> None:
    """Finite weights may give logits that are not: a value of the config is wrong, or a norm's weights are all 0."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[0, 1, 1]]), use_cache=False).logits
    if not logits.isfinite().all() or not logits.any():
        raise StageError(
            f"{folder}: the model's logits are {'all 0' if logits.isfinite().all() else 'NaN or infinite'}, though its weights are finite. "
            "A number in config.json (rms_norm_eps, rope_theta) or a tensor is wrong: fetch both again."
        )


def sizes_of(config: PreTrainedConfig, stored: dict[str, Stored]) -> dict[str, Any]:
    """What a model's provenance tells of its sizes: its own, from its config and its files."""
    types: dict[str, int] = {}
    for one in stored.values():
        types[one.dtype] = types.get(one.dtype, 0) + one.count
    return {
        "architecture": config.model_type, "num_layers": config.num_hidden_layers, "hidden_size": config.hidden_size,
        "vocab_size": config.vocab_size, "max_length": getattr(config, "max_position_embeddings", None),
        "num_parameters": sum(one.count for one in stored.values()), "dtype": DTYPES[max(types, key=lambda name: types[name])],
    }  # fmt: skip


def _save_resized(
    folder: Path, out: Path, tokenizer: PreTrainedTokenizerBase, provenance: dict[str, Any], generation: dict[str, Any]
) -> None:
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", trust_remote_code=False, use_safetensors=True, local_files_only=True
    )
    torch.manual_seed(0)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=True)
    model.generation_config = GenerationConfig(**generation)
    save_model(
        model, tokenizer, out, {**provenance, "vocab_size": len(tokenizer), "num_parameters": model.num_parameters()}
    )


def _save_copied(
    folder: Path, files: list[Path], out: Path, tokenizer: PreTrainedTokenizerBase, provenance: dict[str, Any],
    generation: dict[str, Any],
) -> None:  # fmt: skip
    with whole(out) as temporary:
        temporary.mkdir()
        index = [] if files == [folder / SINGLE] else [folder / INDEX]
        for file in [*files, *index, folder / "config.json"]:
            shutil.copyfile(file, temporary / file.name)
        tokenizer.save_pretrained(temporary)
        write_json(generation, temporary / GENERATION)
        write_json({**provenance, "versions": library_versions()}, temporary / PROVENANCE)


def generation_values(folder: Path, tokenizer: PreTrainedTokenizerBase, num_ids: int) -> dict[str, Any]:
    """What generation_config.json shall hold: the model's own tokens, with the tokenizer's end among those at which engines stop.

    How it likes to be sampled is left out: params.yaml says that, a server would add it to each request (top_k, a penalty), and
    transformers refuses to save a trained model whose file asks for a temperature without sampling.

    Raises:
        StageError: it is no JSON object, or an end token is none of the model's `num_ids` ids.
    """
    path = folder / GENERATION
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        told = values.get("eos_token_id", config_values(folder).get("eos_token_id"))
    except (ValueError, AttributeError, RecursionError) as error:
        raise StageError(f"{path} is not a JSON object ({error}). Fetch it again, or remove it.") from error
    ends = [end for end in (told if isinstance(told, list) else [told]) if end is not None]
    if wrong := [end for end in ends if not _is_id(end, num_ids)]:
        raise StageError(
            f"{folder} names the end token {wrong[0]!r} (eos_token_id in {GENERATION} or config.json), which is no id of its {num_ids:,} "
            "tokens. Correct it."
        )
    named = list(dict.fromkeys([*ends, tokenizer.eos_token_id]))
    others = {name: values[name] for name in ("bos_token_id", "pad_token_id") if _is_id(values.get(name), num_ids)}
    return {**others, "eos_token_id": named if len(named) > 1 else named[0]}


def _is_id(value: object, num_ids: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < num_ids


def stored_parameters(folder: Path) -> int:
    """The numbers in a folder's weights, from the files' headers."""
    return sum(one.count for one in stored_weights(weight_files(folder)).values())
