"""What the end of one call means: an answer, a failure that can heal, a request that never will, or a stop of all.

| end | billed | then |
|---|---|---|
| 200 with a whole answer | by its usage, else worst case | recorded; without a usage that can be believed as estimated |
| 200 without one (malformed, no choices, a finish reason that is no success) | by its usage, else worst case | its text kept, asked again |
| timeout, connection lost, 504, 524 after the request was sent | may have been: worst case | asked again |
| no connection, or lost before the request was sent, other statuses | no | what stages/generation/ends.py says |

Nothing that a reply holds can raise past this module: what cannot be read is one outcome, `malformed`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stages.core.redaction import printable, scrub
from stages.distillation.billing import Usage, believed_usage
from stages.distillation.finish_reasons import UNKNOWN, finish_of
from stages.distillation.pricing import Price
from stages.distillation.purchase import Answer
from stages.generation.ends import End
from stages.generation.replies import choice_of, is_visible, read_reply, text_of, thought_of, unwrapped
from stages.generation.transport import Failure, failure_of, failure_of_status

MAX_KEPT_BYTES = 1 << 18  # of a reply that holds no answer


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
    reply: str = ""  # what was paid for and holds no answer, for a person to read

    @property
    def told(self) -> str:
        """The reason in words."""
        return f"{self.reason} {self.detail}".strip()

    def usd(self, worst_usd: float) -> float:
        return worst_usd if self.billed_usd is None else self.billed_usd


def outcome_of_reply(content: bytes, price: Price, worst: Usage, fault: str = "") -> Outcome:
    """The outcome of a 200, whatever its bytes are; `fault` is why they may not be all, such as connection_lost."""
    return _kept(content, fault, lambda: read_body(read_reply(content), price, worst))


def outcome_of_body(body: Any, content: bytes, price: Price, worst: Usage) -> Outcome:
    """The outcome of a 200 inside a batch's line, `content`."""
    return _kept(content, "", lambda: read_body(body, price, worst))


def _kept(content: bytes, fault: str, read: Callable[[], Outcome]) -> Outcome:
    """What was read; where that is no answer, with the reply itself."""
    try:
        outcome = read()
    except Exception as error:  # noqa: BLE001  # a server may send anything: one reply is one outcome
        outcome = Outcome(reason=fault or "malformed", detail=printable(scrub(str(error)))[:200], billed_usd=None)
    if outcome.answer:
        return outcome
    return replace(outcome, reply=kept_reply(content))


def kept_reply(content: bytes) -> str:
    """What was paid for, as far as the ledger keeps it."""
    return scrub(content[:MAX_KEPT_BYTES].decode("utf-8", "backslashreplace"))


def read_body(body: Any, price: Price, worst: Usage) -> Outcome:
    """The outcome of a Chat Completions body. A whole answer stands whatever else is missing; see `billing` for its cost.

    Raises:
        Exception: it is none; any, as a body may be anything.
    """
    body = unwrapped(body)
    usage = believed_usage(body.get("usage"), price) if isinstance(body, dict) else None
    billed_usd = price.usd(*usage[:3]) if usage else None
    choice = choice_of(body)
    if choice is None:
        return _error_inside(body, billed_usd)
    text, reason = text_of(choice), choice.get("finish_reason")
    if not is_visible(text or "") and (thought := thought_of(choice)):
        text = f"<think>{thought}</think>"  # all is thought: paid, and no better the next time
    finish = finish_of(reason)
    if finish is None:
        return Outcome(reason="finish_reason", detail=_word(reason), billed_usd=billed_usd)
    if text is None or (not is_visible(text) and finish in ("stop", UNKNOWN)):
        return Outcome(reason="empty", billed_usd=billed_usd)
    if usage is None or (text and not usage.completion_tokens):
        usage = worst
    served = body.get("model")
    return Outcome(Answer(scrub(text), finish, _word(served), *usage))


def _error_inside(body: Any, billed_usd: float | None) -> Outcome:
    """A 200 without choices; gateways put an error that comes late into one, with its status as `code`."""
    error = body.get("error") if isinstance(body, dict) else None
    if not error:
        return Outcome(reason="no_choice", billed_usd=billed_usd)
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    content = json.dumps({"error": error}).encode(errors="replace")
    return replace(outcome_of_failure(failure_of_status(status, {}, content)), billed_usd=billed_usd)


def _word(value: Any) -> str:
    """A name that a server gives; "" where it gives none."""
    return "" if value is None else printable(scrub(str(value)))[:200]


def outcome_of_error(error: Exception) -> Outcome | None:
    """The outcome of what the client raised; None for what is no failure of the call (a bug of ours)."""
    failure = failure_of(error)
    return outcome_of_failure(failure) if failure else None


def outcome_of_failure(failure: Failure) -> Outcome:
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
