"""Requests that the server refuses, and how it is told whether the request is at fault or all of them are.

    rejections = Rejections(purchase, "chat")
    rejections.note(request, answer, num_together=64)  # stops the purchase where nobody's request will do
    rejections.answered(left_at)                       # a call that left then is answered: what was refused before is recorded
    rejections.settle()                                # at the end: the rest

A recorded refusal is never asked again, so none is recorded while the server may be refusing everybody: before it has answered
anybody (now, or this model by the ledger), after `MAX_ALIKE` refusals in the same words with no answer between them, or where
most requests of the run end so. Words are the same if they differ in numbers and names with digits alone.
"""

import functools
import re
import time

from stages.core.command import say
from stages.distillation.ledger import own_ledger
from stages.distillation.purchase import Answer, Purchase, Request

MAX_FIRST = 3  # before anybody is answered; also the fewest that are most requests of a run
MAX_ALIKE = 10
MAX_TOLD = 300  # characters of the server's words
VARIABLE = re.compile(r"[\w-]*\d[\w-]*")  # a number, a request's id


class Rejections:
    """The refused requests of one purchase that are not recorded yet; `via` is chat or batch."""

    def __init__(self, purchase: Purchase, via: str) -> None:
        self.purchase, self.via = purchase, via
        self.pending: list[tuple[Request, Answer, float]] = []  # and when the refusal came
        self.num_alike, self._words = 0, ""
        self._is_everyones = False

    def note(self, request: Request, answer: Answer, num_together: int) -> None:
        """A refusal, and among how many calls that left together it came, whose order says nothing."""
        words = VARIABLE.sub("#", answer.completion)
        self.num_alike = self.num_alike + 1 if words == self._words else 1
        self._words = words
        self.pending.append((request, answer, time.monotonic()))
        if not self._has_answered and len(self.pending) >= MAX_FIRST:
            self._stop(f"the server rejects every request: {answer.completion[:MAX_TOLD]}")
        elif self.num_alike >= max(MAX_ALIKE, num_together):
            self._stop_alike()

    def answered(self, left_at: float) -> None:
        """Record what was refused before an answered call left: the server refuses those alone."""
        self.num_alike = 0
        if self.pending and not self._is_everyones:
            sure = [one for one in self.pending if one[2] <= left_at]
            self.pending = [one for one in self.pending if one[2] > left_at]
            self._record(sure)

    def settle(self, is_last: bool = True) -> set[str]:
        """Record the pending ones where the requests are at fault: their keys. At the last, the others are given up."""
        if self._has_answered and self.num_alike >= MAX_FIRST and 0 < len(self.purchase.requests) < 2 * self.num_alike:
            self._stop_alike()
        elif self.pending and is_last and not self._has_answered:
            self._stop(f"the server rejects every request: {self.pending[0][1].completion[:MAX_TOLD]}")
        if self._is_everyones:
            self.purchase.gave_up.update({one.key: answer.completion[:MAX_TOLD] for one, answer, _ in self.pending})
            return set()
        if not self._has_answered:
            return set()
        pending, self.pending = self.pending, []
        self._record(pending)
        return {request.key for request, _, _ in pending}

    def _record(self, refused: list[tuple[Request, Answer, float]]) -> None:
        for request, answer, _ in refused:
            self.purchase.record(request, answer, self.via, 0.0)

    def _stop_alike(self) -> None:
        self._stop(
            f"the server refuses {self.num_alike:,} requests in the same words and answers none between them, so nothing is recorded "
            f"of it: {self.pending[-1][1].completion[:MAX_TOLD]} . Mend what it names (the account, the server, build_requests)"
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
