"""Requests that the server refuses, and how it is told whether the request is at fault or all of them are.

    rejections = Rejections(purchase, "chat")
    rejections.note(request, answer, num_together=64)  # stops the purchase where nobody's request will do
    rejections.answered(left_at)                       # a call that left then is answered: what was refused before is recorded
    rejections.settle()                                # at the end: the rest

A recorded refusal is never asked again, so none is recorded while the server may be refusing everybody: before it has answered
anybody (now, or this model by the ledger), after `MAX_ALIKE` refusals in the same words with no answer between them, or where
most requests of the run end so. Words are the same if they differ in numbers, names with digits and what repeats the prompt alone.
"""

import functools
import re
import time
from collections import Counter
from dataclasses import dataclass

from stages.core.command import say
from stages.distillation.ledger import own_ledger
from stages.distillation.parameters import without_prompt
from stages.distillation.purchase import Answer, Purchase, Request

MAX_FIRST = 3  # before anybody is answered; also the fewest that are most requests of a run
MAX_ALIKE = 10
MAX_TOLD = 300  # characters of the server's words
VARIABLE = re.compile(r"[\w-]*\d[\w-]*")  # a number, a request's id


@dataclass(frozen=True)
class Refusal:
    request: Request
    answer: Answer
    words: str  # the server's, without what differs from request to request
    came_at: float


class Rejections:
    """The refused requests of one purchase that are not recorded yet; `via` is chat or batch."""

    def __init__(self, purchase: Purchase, via: str) -> None:
        self.purchase, self.via = purchase, via
        self.pending: list[Refusal] = []
        self._num_since: Counter[str] = Counter()  # refusals since the last answer, by their words
        self._is_everyones = False

    def note(self, request: Request, answer: Answer, num_together: int) -> None:
        """A refusal, and among how many calls that left together it came, whose order says nothing."""
        words = VARIABLE.sub("#", without_prompt(answer.completion, request.messages))
        self._num_since[words] += 1
        self.pending.append(Refusal(request, answer, words, time.monotonic()))
        if not self._has_answered and len(self.pending) >= max(MAX_FIRST, num_together):
            self._stop(f"the server rejects every request: {answer.completion[:MAX_TOLD]}")
        elif (num_alike := self._num_since[words]) >= max(MAX_ALIKE, num_together):
            self._stop_alike(num_alike, answer)

    def answered(self, left_at: float) -> None:
        """Record what was refused before an answered call left: the server refuses those alone."""
        self._num_since.clear()
        if self.pending and not self._is_everyones:
            self._record([refusal for refusal in self.pending if refusal.came_at <= left_at])
            self.pending = [refusal for refusal in self.pending if refusal.came_at > left_at]

    def settle(self, is_last: bool = True) -> set[str]:
        """Record the pending ones where the requests are at fault: their keys. At the last, the others are given up."""
        words, num_alike = next(iter(Counter(refusal.words for refusal in self.pending).most_common(1)), ("", 0))
        if self._has_answered and num_alike >= MAX_FIRST and 0 < len(self.purchase.requests) < 2 * num_alike:
            self._stop_alike(num_alike, next(refusal.answer for refusal in self.pending if refusal.words == words))
        elif self.pending and is_last and not self._has_answered:
            self._stop(f"the server rejects every request: {self.pending[0].answer.completion[:MAX_TOLD]}")
        if self._is_everyones:
            self.purchase.gave_up |= {
                refusal.request.key: refusal.answer.completion[:MAX_TOLD] for refusal in self.pending
            }
            return set()
        if not self._has_answered:
            return set()
        pending, self.pending = self.pending, []
        self._record(pending)
        return {refusal.request.key for refusal in pending}

    def _record(self, refusals: list[Refusal]) -> None:
        for refusal in refusals:
            self.purchase.record(refusal.request, refusal.answer, self.via, 0.0)

    def _stop_alike(self, num_alike: int, answer: Answer) -> None:
        self._stop(
            f"the server refuses {num_alike:,} requests in the same words and answers none between them, so nothing is recorded "
            f"of it: {answer.completion[:MAX_TOLD]} . Mend what it names (the account, the server, build_requests)"
        )

    def _stop(self, why: str) -> None:
        self._is_everyones = True
        self.purchase.stop(why)

    @property
    def _has_answered(self) -> bool:
        return self.purchase.num_answered > 0 or self._has_answered_before

    @functools.cached_property
    def _has_answered_before(self) -> bool:
        """Whether the ledger holds an answer that this model was paid for."""
        return any(
            row["kind"] == "answer" and row["via"] != "import" and row["finish_reason"] != "rejected"
            and row.get("sampling", {}).get("model") == self.purchase.model
            for _, row in own_ledger().rows()
        )  # fmt: skip


def tell_rejected(purchases: list[Purchase]) -> None:
    """Say how many requests are recorded as rejected, with the words of one."""
    if num := sum(purchase.num_rejected for purchase in purchases):
        words = next(purchase.last_rejection for purchase in purchases if purchase.num_rejected)
        say(f"distill: the server rejects {num:,} requests for good, such as: {words[:MAX_TOLD]}")
