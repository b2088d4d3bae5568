"""The shapes of a profile's models, before or after they are made here.

shape_of("mistral", yaml.safe_load(Path("profiles/paper-7b.yaml").read_text())).num_parameters
"""

import json
from pathlib import Path
from typing import Any

from stages.core.command import StageError
from stages.core.files import json_in
from stages.models.folders import PROVENANCE
from stages.models.shape import Shape

# The published configs of the models that the profiles name, so that a plan needs no download.
PUBLISHED: dict[str, dict[str, Any]] = {
    "mistralai/Mistral-7B-v0.1": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 32000, "sliding_window": 4096,
    },
    "meta-llama/Meta-Llama-3-8B": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256,
    },
    "mistralai/Mixtral-8x7B-v0.1": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2,
    },
    "meta-llama/Llama-3.2-1B": {
        "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": True,
    },
    "SmolLM2-135M-Instruct.Q4_1.gguf": {
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
        "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": True,
    },
    "deepseek-math-7b-rl": {
        "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 30, "num_attention_heads": 32,
        "num_key_value_heads": 32, "vocab_size": 102400,
    },
}  # fmt: skip


def shape_of(name: str, profile: dict[str, Any]) -> Shape:
    """The shape of a model of the profile: from its own folder where it is on this disk, else from what the profile says of it.

    `models/base` may hold another profile's models of the same names: a folder there counts if it was made of this one.

    Raises:
        StageError: it is on a hub or disk that is not here, and not among the published ones; or its config tells no shape.
    """
    entry = {**profile["models"], **profile.get("local_models", {})}[name]
    folders = [Path(entry["path"])] if "path" in entry else []
    if entry.get("kind") != "config" and is_made_of(Path("models/base") / name, entry):
        folders.append(Path("models/base") / name)
    made = next((folder / "config.json" for folder in folders if (folder / "config.json").is_file()), None)
    return _shape_in(made) if made else Shape.of(config_in_profile(name, entry))


def _shape_in(path: Path) -> Shape:
    """The shape that a model's config.json tells."""
    try:
        return Shape.of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise StageError(
            f"{path} does not give the sizes of a language model ({type(error).__name__}: {error}). Use the model's "
            f"own config.json."
        ) from error


def published_shape(name: str, profile: dict[str, Any]) -> Shape:
    """The shape of a model of the profile from what the profile says of it alone, whatever is on this disk."""
    return Shape.of(config_in_profile(name, {**profile["models"], **profile.get("local_models", {})}[name]))


def is_made_of(folder: Path, entry: dict[str, Any]) -> bool:
    """Whether a model's folder was made of this entry of a profile, as its provenance tells."""
    told = json_in(folder / PROVENANCE)
    wanted = {"kind": "local", **entry}
    return isinstance(told, dict) and all(
        told.get(key) == wanted[key] for key in ("kind", "name", "revision", "package", "path") if wanted.get(key)
    )


def config_in_profile(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The config of a model from its entry in the profile alone."""
    if entry.get("kind") == "config":
        return {
            "hidden_size": entry["hidden_size"], "intermediate_size": entry["intermediate_size"],
            "num_hidden_layers": entry["num_layers"], "num_attention_heads": entry["num_heads"],
            "num_key_value_heads": entry["num_key_value_heads"], "vocab_size": entry["vocab_size"], "tie_word_embeddings": True,
        }  # fmt: skip
    source = str(
        entry["path"] if "path" in entry else entry["name"]
    )  # local_models and GGUF files have a path, the hub's a name
    key = next((key for key in PUBLISHED if source.endswith(key)), None)
    if key is None:
        stage = "prepare_models" if "kind" in entry else "adopt_model"
        raise StageError(
            f"the config of model {name} ({source}) is not known before it is here: run `dvc repro {stage}@{name}` and plan again."
        )
    return PUBLISHED[key]
