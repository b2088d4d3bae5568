"""What a reply may cost: its usage, where it can be believed, else the worst case of its request.

    usage = believed_usage(body.get("usage"), price) or price.worst_usage(messages, max_tokens)
    price.usd(*usage.tokens)

A usage is believed if its counts are whole numbers from 0 to `MAX_TOKENS`, with some tokens of prompt and the cached ones among
them. Some servers count reasoning apart from the completion: then `total_tokens` is above the sum, or the reasoning above the
completion, inside which it cannot lie, and what is apart is billed at the dearer price. Reasoning inside the completion is
billed once, with it.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from stages.distillation.pricing import Price

MAX_TOKENS = 10_000_000  # of one call; no model's context holds more


class Usage(NamedTuple):
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    is_estimated: bool = False  # not counted by the server: the most that it may have been


def believed_usage(usage: Any, price: "Price") -> Usage | None:
    """The tokens that a server may bill, by its own `usage`; None where that is missing, or nonsense."""
    try:
        prompt, completion = _count(usage["prompt_tokens"]), _count(usage["completion_tokens"])
        cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
        reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
        reasoning = max(reasoning, _count(usage.get("reasoning_tokens") or 0))
        total = _count(usage.get("total_tokens") or 0)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    if cached > prompt or not prompt:
        return None
    apart = max(total - prompt - completion, reasoning if reasoning > completion else 0)
    if price.prompt > price.completion:
        return Usage(prompt + apart, completion, cached)
    return Usage(prompt, completion + apart, cached)


def _detail(usage: dict[str, Any], part: str, name: str) -> int:
    """A count inside the details, which many servers leave out."""
    details = usage.get(part)
    return _count(details.get(name) or 0) if isinstance(details, dict) else 0


def _count(value: Any) -> int:
    """Raises ValueError for what is no whole number of tokens."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value <= MAX_TOKENS
        or value != int(value)
    ):
        raise ValueError(f"{value!r} is not a number of tokens")
    return int(value)
