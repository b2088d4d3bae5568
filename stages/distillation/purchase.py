"""One purchase: what all teachers that cost something share. Money is reserved and noted before a call leaves; what
comes back is in the ledger before anything else happens to it.

    if await purchase.start(request): ...; await purchase.answered(request, answer, "chat")
"""

import json
from dataclasses import dataclass, field
from typing import Any

from stages.core.command import say
from stages.core.progress import Tracker
from stages.distillation.billing import Usage
from stages.distillation.budget import Budget
from stages.distillation.kept_schema import SchemaWatch
from stages.distillation.ledger import now
from stages.distillation.ledger_rows import Row
from stages.distillation.ledger_segment import Segment
from stages.distillation.model_table import asked_schema
from stages.distillation.pricing import Price

BYTES_A_TOKEN = 16  # of an answer's text in JSON: a token is four letters or so, and an escape up to six bytes a letter
BYTES_A_ROW = 4096  # besides the texts


@dataclass(frozen=True)
class Answer:
    """What a teacher answered. Finish reasons: stop, length, content_filter, and rejected, where the server refuses
    the request itself and the completion is its message."""

    completion: str
    finish_reason: str
    served_model: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    is_estimated: bool = False  # the server told no tokens that can be believed: they are the most it may bill


@dataclass(frozen=True)
class Request:
    key: str
    messages: list[dict[str, str]]
    sampling: dict[str, Any]  # model, temperature, max_tokens: what is sent, as it is sent

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Request":
        return cls(row["request_id"], json.loads(row["messages"]), json.loads(row["sampling"]))

    @property
    def schema(self) -> str:
        """The schema that the answer is asked to keep, as JSON, which servers put into the prompt; "" where there is none."""
        schema = asked_schema(self.sampling)
        return json.dumps(schema) if schema else ""

    @property
    def num_chars(self) -> int:
        """Characters of the prompt, the schema among them."""
        return len(self.schema) + sum(len(message["content"]) for message in self.messages)


def by_model(requests: list[Request]) -> dict[str, list[Request]]:
    """model -> the requests to it, in their order."""
    groups: dict[str, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.sampling["model"], []).append(request)
    return groups


def room_bytes(requests: list[Request], num_at_once: int) -> int:
    """The room on the disk that so many answers at once can need."""
    most = max(
        sum(len(m["content"].encode()) for m in request.messages) + int(request.sampling["max_tokens"]) * BYTES_A_TOKEN
        for request in requests
    )
    return (most + BYTES_A_ROW) * min(num_at_once, len(requests))


@dataclass
class Halt:
    """Why no further call leaves, to any of the models that are asked together; what is under way is waited for."""

    num_models: int = 1
    reason: str = ""

    def stop(self, reason: str, model: str = "") -> None:
        """The first reason stands; `model` is told where several are asked."""
        told = f"{model}: {reason}" if model and self.num_models > 1 else reason
        self.reason = self.reason or told


@dataclass
class Purchase:
    """What is bought of one model. Segment, budget, tracker and halt are shared by the models that are asked together."""

    model: str
    requests: list[Request]
    segment: Segment
    budget: Budget
    price: Price
    tracker: Tracker
    halt: Halt
    num_answered: int = 0
    num_rejected: int = 0  # requests that the server refuses for good
    last_rejection: str = ""  # in the server's words
    num_retries: int = 0
    gave_up: dict[str, str] = field(default_factory=dict)  # key -> reason of the last failure
    excess: float = 1.0  # how many times its worst case the server has billed a call
    reserved: dict[str, float] = field(default_factory=dict)  # key -> USD, of the calls under way

    def __post_init__(self) -> None:
        self.schema_watch = SchemaWatch(self.model, len(self.requests))

    @property
    def stop_reason(self) -> str:
        return self.halt.reason

    def worst_usage(self, request: Request) -> Usage:
        return self.price.worst_usage(request.messages, int(request.sampling["max_tokens"]), request.schema)

    def worst_usd(self, request: Request, is_batch: bool = False) -> float:
        """The most that a call may cost, as far as the server has kept to it."""
        max_tokens = int(request.sampling["max_tokens"])
        return self.excess * self.price.worst_usd(request.messages, max_tokens, is_batch, request.schema)

    async def start(self, request: Request) -> bool:
        """Reserve the worst case and note that the call leaves; False: the purchase stops, or the budget is reached."""
        if self.stop_reason:
            return False
        worst = self.worst_usd(request)
        if not await self.budget.reserve(worst):
            self.stop_at_budget()
            return False
        if self.stop_reason:  # since this call has begun to wait for room
            await self.budget.settle(worst, 0.0)
            return False
        self.reserved[request.key] = worst
        self._note({"kind": "sent", "key": request.key, "usd": worst, "at": now()})
        return True

    async def answered(self, request: Request, answer: Answer, via: str) -> None:
        usd = self.reserved[request.key] if answer.is_estimated else self.usd_of(answer, via)
        self.record(request, answer, via, usd)
        await self._settle(request, usd)

    async def failed(self, request: Request, reason: str, usd: float | None, reply: str = "") -> None:
        """An attempt without an answer, what it may have cost (None: the worst case), and the reply that was none."""
        usd = self.reserved[request.key] if usd is None else usd
        self.record_failure(request.key, reason, usd, reply)
        await self._settle(request, usd)

    async def abandon(self, request: Request) -> None:
        """A call whose end could not be recorded counts at its worst case; so it does in the ledger."""
        if request.key in self.reserved:
            await self._settle(request, self.reserved[request.key])

    async def _settle(self, request: Request, usd: float) -> None:
        worst = self.reserved.pop(request.key)
        if usd > worst:
            self.note_excess(request, usd)
        await self.budget.settle(worst, usd)

    def note_excess(self, request: Request, usd: float, is_batch: bool = False) -> None:
        """Reserve more from now on where a server bills more than all of max_tokens."""
        worst_usd = self.worst_usd(request, is_batch) / self.excess
        if not worst_usd or usd <= worst_usd * self.excess * (1 + 1e-9):
            return
        self.excess = usd / worst_usd
        say(f"distill: a call of {self.model} was billed {usd:.6f} USD, over its worst case of {worst_usd:.6f}: from now on "
            f"{self.excess:,.1f} times the worst case is reserved. The server may bill reasoning on top of max_tokens.")  # fmt: skip

    def record_failure(self, key: str, reason: str, usd: float, reply: str = "") -> None:
        row = {"kind": "failure", "key": key, "reason": reason, "usd": usd, "at": now()}
        self._note({**row, "reply": reply} if reply else row)

    def record(self, request: Request, answer: Answer, via: str, usd: float) -> None:
        """Put an answer into the ledger and count it."""
        row = {"kind": "answer", "key": request.key, **vars(answer), "usd": usd, "via": via, "at": now()}
        self._note({**row, "messages": request.messages, "sampling": request.sampling})
        if answer.finish_reason == "rejected":
            self.num_rejected, self.last_rejection = self.num_rejected + 1, answer.completion
        else:
            self.num_answered += 1
            self.schema_watch.note(request.sampling, answer.completion, answer.finish_reason)
        self.tracker.note = f"{self.budget.spent_usd:.4f} of {self.budget.limit_usd:.2f} USD"
        self.tracker.advance()

    def _note(self, row: Row) -> None:
        """Write a row into the ledger; where the disk is in trouble, no further call leaves."""
        self.segment.append(row)
        if self.segment.trouble:
            self.halt.stop(self.segment.trouble)

    def usd_of(self, answer: Answer, via: str) -> float:
        if answer.finish_reason == "rejected":
            return 0.0
        return self.price.usd(answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens, via == "batch")

    def stop_at_budget(self) -> None:
        budget = self.budget
        self.halt.stop(f"the budget is reached: {budget.spent_usd:.4f} of {budget.limit_usd:.4f} USD are spent")

    def stop(self, reason: str) -> None:
        self.halt.stop(reason, self.model)
