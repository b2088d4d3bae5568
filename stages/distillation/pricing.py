"""Prices of teachers, from the dated table `prices.yaml`, and what a request can cost at most.

    price = load_price("gpt-4o-mini-2024-07-18")
    price.usd(prompt_tokens=400, completion_tokens=600, cached_tokens=0, is_batch=False)
    price.worst_usd(messages, max_tokens=2500, is_batch=False)

TEACHER_PRICES names another file of the same form, for prices that are nobody else's business.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from stages.core.command import StageError

PRICES = Path(__file__).with_name("prices.yaml")
TOKENS_AROUND_MESSAGE = 16
FIELDS = {"prompt", "cached", "completion", "batch_factor"}


@dataclass(frozen=True)
class Price:
    """USD per million tokens; `batch_factor` is what the Batch API costs of that."""

    prompt: float
    cached: float
    completion: float
    batch_factor: float

    def usd(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0, is_batch: bool = False) -> float:
        fresh = prompt_tokens - cached_tokens
        total = fresh * self.prompt + cached_tokens * self.cached + completion_tokens * self.completion
        return total / 1e6 * (self.batch_factor if is_batch else 1.0)

    def worst_usd(self, messages: list[dict[str, str]], max_tokens: int, is_batch: bool = False) -> float:
        """No answer can cost more: byte-level tokenizers make at most one token of a byte."""
        prompt = sum(len(m["content"].encode()) + len(m["role"]) + TOKENS_AROUND_MESSAGE for m in messages)
        return self.usd(prompt, max_tokens, 0, is_batch)


def prices_file() -> Path:
    return Path(os.environ.get("TEACHER_PRICES", PRICES))


def load_price(model: str) -> Price:
    """The price of a model's exact snapshot.

    Raises:
        StageError: the file is missing or malformed, or does not know the model.
    """
    path = prices_file()
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    except (FileNotFoundError, yaml.YAMLError, KeyError, TypeError) as error:
        raise StageError(f"{path}: not a table of prices ({error}). Restore it, or correct TEACHER_PRICES.") from error
    if model not in table:
        raise StageError(
            f"no price is known for the teacher {model!r}: add it to {path} under `models` with its date and source "
            f"(0 for a server of your own), or correct build_requests.model. Known: {', '.join(table)}."
        )
    entry = table[model]
    if not isinstance(entry, dict) or entry.keys() != FIELDS:
        raise StageError(f"{path}: models.{model} must have exactly {sorted(FIELDS)}, it has {entry!r}.")
    return Price(**{name: float(entry[name]) for name in FIELDS})
