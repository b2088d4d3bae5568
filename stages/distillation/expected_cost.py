"""What requests will cost before they are asked: tokens, USD low, likely and high; spends nothing.

    estimate(requests, is_batch=False, ledger) -> Estimate(...); str(...) == "0.41 to 2.90 USD, likely 1.20"

Prompt tokens are counted with the teacher's tokenizer where TEACHER_TOKENIZER names its folder; else they are four
characters each (low: five; high: three). An answer is likely as long as the mean of the ledger's answers of the same
model; where it has none, four tenths of max_tokens (low: a tenth, high: all of it).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from stages.distillation.ledger import Ledger
from stages.distillation.pricing import load_price
from stages.distillation.purchase import Request, by_model

CHARS_PER_TOKEN = {"low": 5.0, "likely": 4.0, "high": 3.0}
ANSWER_SHARE = {"low": 0.1, "likely": 0.4, "high": 1.0}
MIN_ANSWERS = 20


@dataclass(frozen=True)
class Estimate:
    num_requests: int
    prompt_tokens: dict[str, int]  # low, likely, high
    completion_tokens: dict[str, int]
    usd: dict[str, float]
    tokens_from: str

    def __str__(self) -> str:
        low, likely, high = (
            f"{self.usd[name]:.{2 if self.usd['high'] >= 1 else 5}f}" for name in ("low", "likely", "high")
        )
        return f"{low} to {high} USD, likely {likely}"

    def minutes(self, requests_per_minute: float, tokens_per_minute: float) -> float:
        """Minutes at the server's limits; a limit counts the likely tokens in and out."""
        tokens = self.prompt_tokens["likely"] + self.completion_tokens["likely"]
        return max(self.num_requests / requests_per_minute, tokens / tokens_per_minute)


def estimate(requests: list[Request], is_batch: bool, ledger: Ledger) -> Estimate:
    """What requests to any models cost together.

    Raises:
        StageError: no price is known for a model.
    """
    return total(list(estimates(requests, is_batch, ledger).values()))


def estimates(requests: list[Request], is_batch: bool, ledger: Ledger) -> dict[str, Estimate]:
    """model -> what the requests to it cost, each at its own price; raises as `estimate` does."""
    return {model: _estimate_of_model(some, is_batch, ledger) for model, some in by_model(requests).items()}


def total(parts: list[Estimate]) -> Estimate:
    """Several models' estimates as one."""
    prompt, completion, usd = (
        {name: sum(getattr(part, field)[name] for part in parts) for name in CHARS_PER_TOKEN}
        for field in ("prompt_tokens", "completion_tokens", "usd")
    )
    return Estimate(sum(part.num_requests for part in parts), prompt, completion, usd, parts[0].tokens_from)


def _estimate_of_model(requests: list[Request], is_batch: bool, ledger: Ledger) -> Estimate:
    price = load_price(requests[0].sampling["model"])
    counted = count_prompt_tokens(requests)
    chars = sum(request.num_chars for request in requests)
    prompt = {name: counted or int(chars / per) for name, per in CHARS_PER_TOKEN.items()}
    most = sum(int(request.sampling["max_tokens"]) for request in requests)
    shares = {**ANSWER_SHARE, **mean_share(ledger, requests[0].sampling)}
    completion = {name: int(most * share) for name, share in shares.items()}
    usd = {name: price.usd(prompt[name], completion[name], 0, is_batch) for name in prompt}
    return Estimate(len(requests), prompt, completion, usd, "the teacher's tokenizer" if counted else "characters")


def count_prompt_tokens(requests: list[Request]) -> int:
    """The prompts' tokens by the tokenizer in TEACHER_TOKENIZER; 0 where there is none."""
    folder = os.environ.get("TEACHER_TOKENIZER")
    if not folder:
        return 0
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    texts = [text for request in requests for text in (request.schema, *(m["content"] for m in request.messages))]
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False))


def mean_share(ledger: Ledger, sampling: dict[str, object]) -> dict[str, float]:
    """What share of max_tokens this model's answers took, where the ledger holds enough of them to tell."""
    taken = [
        row["completion_tokens"] / most
        for _, row in ledger.rows()
        if row["kind"] == "answer"
        and not row.get("is_estimated")
        and (asked := row.get("sampling", {})).get("model") == sampling["model"]
        and type(most := asked.get("max_tokens")) is int
        and most > 0
    ]
    return {"likely": sum(taken) / len(taken)} if len(taken) >= MIN_ANSWERS else {}
