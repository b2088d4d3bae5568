"""Whether the weights of a model folder are those that its config asks for: none missing, of another shape, or left over.

    check_weights(folder, read_config(folder), stored_weights(weight_files(folder)))

transformers draws a missing tensor at random and drops one that it has no place for, with a warning that nobody reads.
"""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, PreTrainedConfig

from stages.core.command import StageError
from stages.models.folders import shortened
from stages.models.weight_files import Stored

# Tensors in old files that are made anew, not learnt: tables of rotary angles, masks.
MADE_ANEW = re.compile(r"rotary_emb\.inv_freq$|\.attn(ention)?\.(masked_)?bias$")
HEAD, EMBEDDINGS = "lm_head.weight", re.compile(r"\.(embed_tokens|wte|embed_in|word_embeddings)\.weight$")


def check_weights(folder: Path, config: PreTrainedConfig, stored: dict[str, Stored]) -> None:
    """Compare the tensors that are stored with those of the architecture, without reading their numbers.

    Raises:
        StageError: some are missing (transformers would draw them at random), of another shape, or belong to no layer.
    """
    if config.num_hidden_layers > len(stored):
        raise StageError(
            f"config.json in {folder} says {config.num_hidden_layers:,} layers, but the weights hold {len(stored):,} "
            f"tensors. Fetch both again."
        )
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, device_map="meta", trust_remote_code=False, use_safetensors=True, local_files_only=True,
            ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # whatever a config that contradicts itself or the files makes transformers raise
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise StageError(
            f"the weights in {folder} do not fit together{_gaps(stored)} ({told}). Fetch them again."
        ) from error
    report = loaded[1]
    if missing := sorted(report["missing_keys"]):
        hint = (
            " Or is the head the embeddings? Then config.json has tie_word_embeddings: true."
            if missing == [HEAD]
            else ""
        )
        raise StageError(
            f"the weights in {folder} lack {shortened(missing)}: {len(missing)} missing.{hint} Fetch the model again."
        )
    if mismatched := sorted(report["mismatched_keys"]):
        name, ours, wanted = mismatched[0]
        raise StageError(
            f"tensor {name} in {folder} has the shape {list(ours)}, config.json asks for {list(wanted)} "
            f"({len(mismatched)} differ{_gaps(stored)}): they belong to two models. Fetch both from one source."
        )
    if foreign := sorted(name for name in report["unexpected_keys"] if not MADE_ANEW.search(name)):
        raise StageError(
            f"the weights in {folder} hold {shortened(foreign)}, which {config.model_type} has no place for with this "
            "config.json: they would be ignored. Use the config of these weights."
        )
    _check_tied(folder, config, stored)


def _gaps(stored: dict[str, Stored]) -> str:
    """Names that some layers have and others lack."""
    layers: dict[str, set[str]] = {}
    for name in stored:
        if found := re.match(r"(.*?\.\d+)\.(.*)", name):
            layers.setdefault(found[1], set()).add(found[2])
    every = set().union(*layers.values()) if layers else set()
    lacking = [f"{layer}.{name}" for layer, names in layers.items() for name in sorted(every - names)]
    return f": {shortened(lacking)} missing" if lacking else ""


def _check_tied(folder: Path, config: PreTrainedConfig, stored: dict[str, Stored]) -> None:
    """Where the config ties the head to the embeddings, a head in the file must be the same numbers: engines disagree else."""
    embeddings = next((name for name in stored if EMBEDDINGS.search(name)), None)
    if not config.tie_word_embeddings or HEAD not in stored or embeddings is None:
        return
    head, table = (_tensor(stored[name], name) for name in (HEAD, embeddings))
    if not torch.equal(head, table):
        raise StageError(
            f"config.json in {folder} ties the head to the embeddings (tie_word_embeddings), but {HEAD} and "
            f"{embeddings} differ. Set tie_word_embeddings to false, or remove the head."
        )


def _tensor(stored: Stored, name: str) -> torch.Tensor:
    with safe_open(stored.file, framework="pt") as weights:
        return weights.get_tensor(name)
