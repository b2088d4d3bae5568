"""What the end of one call means: an answer, a failure that can heal, a request that never will, or a stop of all.

| end | billed | then |
|---|---|---|
| 200 with a whole answer | by its usage | recorded |
| 200 without one (malformed, no choices) | by its usage, else worst case | asked again |
| timeout, connection lost while waiting, 504, 524 | may have been: worst case | asked again |
| no connection, other statuses | no | what stages/generation/ends.py says |
"""

import json
from dataclasses import dataclass
from typing import Any

from stages.core.redaction import printable, scrub
from stages.distillation.pricing import Price
from stages.distillation.purchase import Answer
from stages.generation.ends import End
from stages.generation.transport import failure_of


@dataclass(frozen=True)
class Outcome:
    answer: Answer | None = None
    reason: str = ""
    detail: str = ""  # the server's or the network's own words
    billed_usd: float | None = 0.0  # None: unknown, so the worst case
    end: End = End.AGAIN
    retry_after: float | None = None  # seconds, where the server says so
    stop: str = ""
    rejection: Answer | None = None

    @property
    def told(self) -> str:
        """The reason in words."""
        return f"{self.reason} {self.detail}".strip()

    def usd(self, worst_usd: float) -> float:
        return worst_usd if self.billed_usd is None else self.billed_usd


def outcome_of_reply(content: bytes, price: Price) -> Outcome:
    """The outcome of a 200: its JSON is read strictly, and counted as billed even where it holds no answer."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return Outcome(reason="malformed", billed_usd=None)
    return read_body(body, price)


def read_body(body: Any, price: Price) -> Outcome:
    """The outcome of a Chat Completions body."""
    usage: Any = body.get("usage") if isinstance(body, dict) else None
    try:
        prompt, completion = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        return Outcome(reason="no_usage", billed_usd=None)
    usd = price.usd(prompt, completion, cached)
    try:
        choice = body["choices"][0]
        message, reason = choice["message"], choice["finish_reason"]
        text = message.get("content") or message.get("refusal") or ""
        served = str(body["model"])
    except (TypeError, KeyError, IndexError, AttributeError):
        return Outcome(reason="no_choice", billed_usd=usd)
    if not isinstance(text, str) or (not text and reason == "stop"):
        return Outcome(reason="empty", billed_usd=usd)
    return Outcome(
        Answer(scrub(text), printable(scrub(str(reason))), printable(scrub(served)), prompt, completion, cached)
    )


def outcome_of_error(error: Exception) -> Outcome | None:
    """The outcome of what the client raised; None for what is no failure of the call (a bug of ours)."""
    failure = failure_of(error)
    if failure is None:
        return None
    if why := failure.stop("OPENAI_API_KEY", "OPENAI_BASE_URL", "build_requests.model"):
        return Outcome(reason=failure.reason, stop=why, end=End.STOP)
    if failure.is_refusal:
        return Outcome(reason=failure.reason, end=End.REFUSED, rejection=Answer(failure.words, "rejected", "", 0, 0))
    billed_usd = None if failure.may_be_billed else 0.0
    return Outcome(
        reason=failure.reason,
        detail=failure.words,
        billed_usd=billed_usd,
        end=failure.end,
        retry_after=failure.retry_after,
    )
