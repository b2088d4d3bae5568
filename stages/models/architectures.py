"""Models of a config, with random weights, and the tokenizer that is trained for them.

model, tokenizer = model_of_config(ConfigModel("config", "llama", hidden_size=128, ...), texts, distillation)
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from stages.models.sections import ConfigModel
from stages.models.tokenizer import train_tokenizer
from stages.problems.problem_texts import problems_with_texts
from stages.problems.student_format import student_prompt
from stages.problems.synthesizer_format import synthesizer_output, synthesizer_prompt

ARCHITECTURES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "mixtral": (MixtralConfig, MixtralForCausalLM),
}


def model_of_config(
    settings: ConfigModel, texts: Path, distillation: Path
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model of random weights, with a tokenizer of the texts and the problems that a teacher made of them."""
    tokenizer = train_tokenizer(tokenizer_texts(texts, distillation), settings.vocab_size, settings.max_length)
    config_class, model_class = ARCHITECTURES[settings.architecture]
    config = config_class(
        vocab_size=settings.vocab_size,
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.num_layers,
        num_attention_heads=settings.num_heads,
        num_key_value_heads=settings.num_key_value_heads,
        max_position_embeddings=settings.max_length,
        initializer_range=settings.initializer_range,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(settings.seed)
    return model_class(config), tokenizer


def tokenizer_texts(texts: Path, distillation: Path) -> Iterator[str]:
    """What a student and a synthesizer will read and write of each problem."""
    for row in problems_with_texts([distillation / "problems.parquet"], [texts]):
        yield student_prompt(row["problem"], row["mode"]) + row["solution"]
        yield synthesizer_prompt(row["prompt"], row["mode"], row["text"])
        yield synthesizer_output(row["problem"], row["solution"])
