"""Models, reference checkpoints and examples of random content for the benches of value estimation."""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stages.models.tokenization import IGNORED, TokenizedExample
from tests.valuing import write_reference

RANK = 8


@dataclass(frozen=True)
class Shape:
    """A Llama of random weights, LoRA on all its linear layers, and the examples' mean length in tokens."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    vocab_size: int
    mean_tokens: int
    num_heads: int = 8
    num_key_value_heads: int = 8
    is_large: bool = False  # a pass takes minutes: without the rivals and the float64 brute force


SHAPES = {
    "tiny": Shape(256, 704, 4, 2048, 178),
    "small": Shape(512, 1408, 8, 4096, 271),
    "smollm2": Shape(576, 1536, 30, 49_152, 178, 9, 3, is_large=True),
}


def write_models(shape: Shape, folder: Path, rank: int = RANK) -> tuple[Path, Path]:
    """The base model's folder and a reference checkpoint of it, with random moments."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=shape.vocab_size, hidden_size=shape.hidden_size, intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers, num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_key_value_heads, tie_word_embeddings=shape.is_large, max_position_embeddings=2048,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    return folder / "base", write_reference(
        folder / "base", folder / "reference", ("checkpoint-1",), rank
    ) / "checkpoint-1"


def random_examples(shape: Shape, count: int, seed: int = 0) -> list[TokenizedExample]:
    """Lognormal lengths about the shape's mean; the first third of an example is its prompt."""
    rng = random.Random(seed)
    examples = []
    for _ in range(count):
        length = min(1024, max(24, round(rng.lognormvariate(0, 0.4) * shape.mean_tokens / 1.083)))  # exp(0.4^2 / 2)
        ids = [rng.randrange(3, shape.vocab_size) for _ in range(length)]
        examples.append(TokenizedExample(ids, [IGNORED] * (length // 3) + ids[length // 3 :]))
    return examples
