"""Tiny models, rows and engines for tests."""

from collections.abc import Callable
from typing import Any

import torch

from stages.models.architectures import ARCHITECTURES
from stages.models.tokenizer import train_tokenizer

TEXTS = [
    "Tom has 12 apples and buys 7 more.",
    "## Question\nWhat is 3+4?\n\n## Solution\n3+4=7\nThe answer is \\boxed{7}.",
] * 3


def tiny_tokenizer():
    return train_tokenizer(TEXTS, 300, 256)


def tiny_model(architecture: str, seed: int = 0, max_length: int = 256, hidden_size: int = 32):
    config_class, model_class = ARCHITECTURES[architecture]
    torch.manual_seed(seed)
    config = config_class(
        vocab_size=300, hidden_size=hidden_size, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=max_length, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return model_class(config)


def without_waiting(generate: Callable[..., Any]) -> Callable[..., Any]:
    """A function's outputs as those of an engine that no shard waits for."""

    def steps(*arguments: Any):
        return generate(*arguments)
        yield

    return steps


def problem_row(**changes: str) -> dict[str, str]:
    row = {
        "problem_id": "p", "text_id": "t", "request_id": "", "prompt": "grade", "mode": "cot",
        "problem": "Tom has 3 apples and buys 4 more. How many apples has Tom now?",
        "solution": "3+4=7\nThe answer is \\boxed{7}.", "answer": "7", "synthesizer": "test",
    }  # fmt: skip
    return row | changes


def benchmark_row(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "benchmark": "b", "index": 0, "problem": "Ann had 9 hats and lost 2 of them. How many hats are left?", "options": [],
        "solution": "", "answer": "7", "kind": "number", "subject": "", "level": "",
    }  # fmt: skip
    return row | changes
