"""A model folder's config.json, read before anything is made of it: which architecture it is, and why some are none of ours.

config = read_config(folder)          # transformers' config object of a causal language model
"""

import json
from pathlib import Path
from typing import Any

import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from stages.core.command import StageError

CONFIG = "config.json"
HEADS = ("ForCausalLM", "LMHeadModel", "LMHead", "ForConditionalGeneration")


def read_config(folder: Path) -> PreTrainedConfig:
    """The config of a causal language model of transformers.

    Raises:
        StageError: no config, no JSON, an architecture that transformers does not have or that is no causal language model,
            code of the model's own, quantized weights, or sizes that contradict each other.
    """
    values = config_values(folder)
    if reason := unfit_config(values):
        raise StageError(f"{folder / CONFIG}: {reason}")
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (StrictDataclassError, OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError) as error:
        told = " ".join(str(error).split())[:300]
        raise StageError(
            f"{folder / CONFIG}: transformers cannot read it ({told}). Correct it, or fetch it again."
        ) from error


def config_values(folder: Path) -> dict[str, Any]:
    """What stands in the folder's config.json.

    Raises:
        StageError: it is not there, or holds no JSON object.
    """
    path = folder / CONFIG
    if not path.is_file():
        hint = (
            " It holds an adapter: merge it first (`ninechapters merge-adapter`)."
            if (folder / "adapter_config.json").is_file()
            else ""
        )
        raise StageError(
            f"model folder {str(folder)!r} has no {CONFIG}.{hint} Put the model there, or correct the path where you named it."
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise StageError(f"{path} is not JSON ({error}). Fetch it again.") from error
    if not isinstance(values, dict):
        raise StageError(f"{path} holds a {type(values).__name__}, not the config of a model. Fetch it again.")
    return values


def unfit_config(values: dict[str, Any]) -> str:
    """Why a config is not that of a causal language model which can be trained; empty if it is."""
    kind, version = values.get("model_type"), transformers.__version__
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING_NAMES:
        own = " Its code is its own (auto_map), and is not run." if values.get("auto_map") else ""
        return f"model_type is {kind!r}, which transformers {version} does not have.{own} Use a model that transformers has."
    if quantization := values.get("quantization_config"):
        method = quantization.get("quant_method") if isinstance(quantization, dict) else quantization
        return f"its weights are quantized ({method}) and cannot be trained. Use the model in bfloat16 or float32."
    if values.get("is_encoder_decoder"):
        return f"{kind} has an encoder; only causal language models are supported."
    if isinstance(values.get("vision_config"), dict) or isinstance(values.get("audio_config"), dict):
        return f"{kind} reads images or sound as well as text; use the text-only model."
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return f"{kind} is not a causal language model in transformers {version}."
    if values.get("max_position_embeddings", 1) == 0:
        return "max_position_embeddings is 0, so no text would fit. Correct it, or fetch it again."
    architectures = values.get("architectures") or []
    own = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]
    if isinstance(architectures, list) and own not in architectures:
        for name in sorted({str(name) for name in architectures} & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())):
            return f"model_type is {kind}, whose model is {own}, but its weights are of {name}. Correct it, or fetch it again."
    if (
        isinstance(architectures, list)
        and architectures
        and not any(str(name).endswith(HEADS) for name in architectures)
    ):
        return (
            f"its weights are of {architectures[0]}, which has no language model head. Use the causal language model."
        )
    return ""
