"""What params.yaml may say of models and their training: `models`, `local_models` and the sections of all that train."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from stages.core.section import Count, Grammar, NotNegative, Positive, Seed, Share, section

Architecture = Literal["llama", "mistral", "mixtral"]
PROBLEM_POOLS = ("cot", "tool")
FINETUNE_POOLS = (*PROBLEM_POOLS, "target")


def parse_mix_share(text: str) -> tuple[str, float]:
    """`cot=0.7` as ("cot", 0.7)."""
    name, _, share = text.partition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if name not in FINETUNE_POOLS or not 0 <= value <= 1:
        raise ValueError(f"it is no NAME=SHARE with a share in [0, 1] and a name of {', '.join(FINETUNE_POOLS)}")
    return name, value


def mix_faults(mix: Iterable[str], pools: Iterable[str]) -> Iterator[str]:
    """What is wrong with the shares of a mix of these pools; an empty one takes all of each."""
    shares = [parse_mix_share(text) for text in mix]
    names, known = [name for name, _ in shares], list(pools)
    for name in sorted({name for name in names if name not in known or names.count(name) > 1}):
        yield f"mix: {name!r} stands there twice, or is none of {', '.join(known)}"
    if shares and abs(sum(share for _, share in shares) - 1) > 1e-6:
        yield f"mix: the shares of {', '.join(names)} sum to {sum(share for _, share in shares):g}, not to 1"


MixShare = Annotated[str, Grammar(parse_mix_share, "cot=0.7")]


@section
class ConfigModel:
    """One of `models` with random weights; its tokenizer is trained on the first round's problems."""

    kind: Literal["config"]
    architecture: Architecture = "llama"
    "config: the model class."
    hidden_size: Annotated[int, Ge(8)] = 128
    "config: width."
    intermediate_size: Annotated[int, Ge(8)] = 384
    "config: width of the MLP."
    num_layers: Count = 4
    "config: layers."
    num_heads: Count = 4
    "config: attention heads."
    num_key_value_heads: Count = 4
    "config: key and value heads."
    vocab_size: Annotated[int, Ge(300)] = 1024
    "config: tokens of the tokenizer."
    max_length: Annotated[int, Ge(64)] = 1024
    "config: positions."
    initializer_range: Positive = 0.02
    "config: standard deviation of the random weights (about 1/sqrt(width) suits small models)."
    seed: Seed = 0
    "config: of the random weights."

    def rules(self) -> Iterator[str]:
        if self.hidden_size % (2 * self.num_heads):
            yield (
                f"hidden_size is {self.hidden_size}: an even width for each of num_heads = {self.num_heads} heads is needed"
            )
        if self.num_heads % self.num_key_value_heads:
            yield f"num_heads is {self.num_heads}, no multiple of num_key_value_heads = {self.num_key_value_heads}"


@section
class HubModel:
    """One of `models` from the Hugging Face hub."""

    kind: Literal["hub"]
    name: str
    "hub: its id."
    revision: str
    "hub: the commit (40 hex digits), so that the same name means the same bytes."

    def rules(self) -> Iterator[str]:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.name):
            yield f"name is {self.name!r}: an id of the hub has the form owner/name"
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            yield (
                f"revision is {self.revision!r}, no commit of 40 hex digits (the model's page shows them under History)"
            )


@section
class LocalModel:
    """One of `local_models`: a folder with config.json, a tokenizer and safetensors weights, which DVC watches."""

    path: Path
    "local: its folder."


@section
class TrainingPlan:
    """What decides the trained weights, apart from the model and the examples."""

    num_epochs: Count
    "Passes over the examples (release: synthesizer 5, student 1)."
    learning_rate: Positive
    "AdamW's peak rate; Muon's is twice as high (release: 1e-5)."
    optimizer: Literal["adamw", "muon"]
    "muon: Muon for hidden matrices, AdamW for the rest."
    warmup_ratio: Share
    "Share of steps (release: 0.03)."
    decay_ratio: Share
    "Share of steps of the final decay to a tenth; 0: none (release: 0.15 of pre-training and fine-tuning)."
    weight_decay: NotNegative
    "Decoupled decay (release: synthesizer 0.1, student 0)."
    batch_rows: Count
    "Packed rows in a step over all devices (release: synthesizer 32, student 512)."
    max_length: Annotated[int, Ge(16)]
    "Tokens in a row (release: 2048)."
    seed: Seed
    "Order of the examples and any dropout."


@section
class ReferenceSettings:
    """`train_reference` beside its plan."""

    lora_rank: Count
    "Rank of the update (LESS: 128)."
    lora_alpha: Count
    "Its scale is alpha / rank (LESS: 512)."
    num_checkpoints: Count
    "Evenly spaced checkpoints whose values are summed, weighted by learning rate (LESS: one an epoch)."


@section
class PretrainSettings:
    """`pretrain` beside its plan."""

    mix: tuple[MixShare, ...]
    "Share of a kind in what is learnt: cot, tool (synthetic problems by mode). None: all of each."
    keep_optimizer: bool
    "Save the optimizer's state too, so that fine-tuning can go on as one schedule (the release: one run)."

    def rules(self) -> Iterator[str]:
        yield from mix_faults(self.mix, PROBLEM_POOLS)


@section
class FinetuneSettings:
    """`finetune` beside its plan."""

    target: tuple[str, ...]
    "A target whose problems are learnt too; none given takes all."
    mix: tuple[MixShare, ...]
    "Share of a kind in what is learnt: cot, tool (the teacher's problems by mode), target. None: all of each."
    continue_optimizer: bool
    "Go on with the optimizer's state that BASE has, without warm-up (the release: one run); else a fresh one."

    def rules(self) -> Iterator[str]:
        yield from mix_faults(self.mix, FINETUNE_POOLS)
