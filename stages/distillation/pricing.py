"""Prices of teachers, from the dated table `prices.yaml`, and what a request can cost at most.

    price = load_price("gpt-4o-mini-2024-07-18")
    price.usd(prompt_tokens=400, completion_tokens=600, cached_tokens=0, is_batch=False)
    price.worst_usd(messages, max_tokens=2500, is_batch=False)

TEACHER_PRICES names another file of the same form, for prices that are nobody else's business.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.core.command import StageError
from stages.core.unique_yaml import read_unique_yaml
from stages.distillation.billing import Usage

PRICES = Path(__file__).with_name("prices.yaml")
TOKENS_AROUND_MESSAGE = 16
FIELDS = {"prompt", "cached", "completion", "batch_factor"}
OPTIONAL = {"served_as"}  # other names that the model's server may give it (served_models.py)
MAX_PRICE = 1e6  # USD per million tokens: a dollar a token


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

    def worst_usage(self, messages: list[dict[str, str]], max_tokens: int, schema: str = "") -> Usage:
        """No answer can take more tokens: byte-level tokenizers make at most one token of a byte. A schema counts as prompt."""
        prompt = len(schema.encode()) + sum(
            len(m["content"].encode(errors="replace")) + len(m["role"]) + TOKENS_AROUND_MESSAGE for m in messages
        )
        return Usage(prompt, max_tokens, prompt if self.cached > self.prompt else 0, is_estimated=True)

    def worst_usd(
        self, messages: list[dict[str, str]], max_tokens: int, is_batch: bool = False, schema: str = ""
    ) -> float:
        prompt, completion, cached, _ = self.worst_usage(messages, max_tokens, schema)
        return self.usd(prompt, completion, cached, is_batch)


def prices_file() -> Path:
    return Path(os.environ.get("TEACHER_PRICES", PRICES))


def load_price(model: str) -> Price:
    """The price of a model's exact snapshot.

    Raises:
        StageError: the file is missing or malformed, names something twice, does not know the model, or has no amounts of money for it.
    """
    path, table = prices_file(), load_table()
    if model not in table:
        raise StageError(
            f"no price is known for the teacher {model!r}: add it to {path} under `models` with its date and source "
            f"(0 for a server of your own), or correct build_requests.model. Known: {', '.join(map(str, table))}."
        )
    entry = table[model]
    if not isinstance(entry, dict) or not FIELDS <= entry.keys() <= FIELDS | OPTIONAL:
        raise StageError(
            f"{path}: models.{model} must have {sorted(FIELDS)}, and may have {sorted(OPTIONAL)}; it has {entry!r}."
        )
    amounts = {name: _amount(entry[name], f"{path}: models.{model}.{name}") for name in FIELDS}
    if not 0 < amounts["batch_factor"] <= 1:
        raise StageError(
            f"{path}: models.{model}.batch_factor is {entry['batch_factor']!r}, not over 0 and up to 1: write 0.5 where a batch costs half, "
            "1 where it costs the same."
        )
    return Price(**amounts)


def load_table() -> dict[str, Any]:
    """The entries of the table, by model."""
    path = prices_file()
    try:
        table = read_unique_yaml(path).value["models"]
    except (OSError, ValueError, RecursionError, yaml.YAMLError, KeyError, TypeError) as error:
        raise StageError(f"{path}: not a table of prices ({error}). Restore it, or correct TEACHER_PRICES.") from error
    if not isinstance(table, dict):
        raise StageError(
            f"{path}: `models` must be a table of models, it is {table!r}. Restore it, or correct TEACHER_PRICES."
        )
    return table


def served_names(model: str) -> tuple[str, ...]:
    """Under which other names a server may answer for a model: `served_as` of its entry; none for a model without one."""
    return _served_names(prices_file(), model)


@functools.cache
def _served_names(path: Path, model: str) -> tuple[str, ...]:
    entry = load_table().get(model)
    names = entry.get("served_as", []) if isinstance(entry, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StageError(f"{path}: models.{model}.served_as is {names!r}, not a list of names.")
    return tuple(names)


def _amount(value: Any, place: str) -> float:
    """A price, which must be one: with NaN or a negative number no budget would hold."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= MAX_PRICE:
        raise StageError(
            f"{place} is {value!r}, not a price: write a number from 0 to {MAX_PRICE:,.0f} such as 0.15 (in YAML 1e-3 is a text)."
        )
    return float(value)
