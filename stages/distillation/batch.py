"""The teacher behind OpenAI's Batch API: half the price, within a day.

A batch's id is in the ledger before it is waited for, so a killed run polls it when it is started again. Between the
server's creating a batch and the ledger's knowing it a kill could hide it: each batch carries its name, a hash of its
keys, and before one is submitted the server's own list is searched for that name. An expired or cancelled batch keeps
what it has answered; what failed is asked again in a next batch. `custom_id` is the request's key.
"""

import contextlib
import hashlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stages.core.command import StageError, say
from stages.core.redaction import printable, scrub
from stages.distillation.batch_client import BatchClient
from stages.distillation.batch_lines import UNREADABLE, Lines, file_lines, read_line
from stages.distillation.ledger import Ledger, Row, now
from stages.distillation.outcomes import Outcome, outcome_of_error
from stages.distillation.parameters import body_of, refusal_of_parameter
from stages.distillation.purchase import Purchase, Request
from stages.generation.transport import failure_of

ENDED = {"completed", "failed", "expired", "cancelled"}
MAX_ROUNDS = 4
MAX_UNREADABLE = 2  # lines for one request that cannot be read; then it is not bought again in this run


@dataclass(frozen=True)
class BatchSettings:
    poll_seconds: float
    max_requests: int  # in one batch (OpenAI takes 50,000)


class BatchTeacher:
    """Submits, waits for and collects batches; one at a time, as a batch's queue limit is the account's."""

    def __init__(self, purchase: Purchase, ledger: Ledger, settings: BatchSettings) -> None:
        self.client = BatchClient()
        self.purchase, self.ledger, self.settings = purchase, ledger, settings
        # A run killed while it recorded a batch has some of its answers already: they are not recorded, nor paid, twice.
        keys = {key for row in ledger.open_batches().values() for key in row["keys"]}
        self.answered = set(ledger.answers(keys))
        self.ended: set[str] = set()  # batches that this run has collected
        self.num_unreadable: Counter[str] = Counter()  # lines that were paid and cannot be read, by request

    def ask(self, requests: list[Request]) -> None:
        """Ask for all requests, or until the purchase stops."""
        request_of = {request.key: request for request in requests}
        try:
            for batch_id, row in self.ledger.open_batches().items():
                self._collect(batch_id, row, request_of)
            for _ in range(MAX_ROUNDS):
                missing = [request for request in requests if self._is_missing(request)]
                if not missing or self.purchase.stop_reason:
                    return
                for chunk in self._affordable_chunks(missing):
                    batch_id, row = self._submit(chunk)
                    self._collect(batch_id, row, request_of)
        except Exception as error:
            outcome = outcome_of_error(error)
            if outcome is None:
                raise
            self.purchase.stop(outcome.stop or f"the server failed ({outcome.reason}): {scrub(str(error))[:300]}")
        for key in request_of.keys() - self.answered:
            self.purchase.gave_up.setdefault(key, "not answered in its batches")

    def _affordable_chunks(self, requests: list[Request]) -> Iterator[list[Request]]:
        """Chunks of at most `max_requests` whose worst case the budget still holds; stops the purchase where it ends."""
        chunk: list[Request] = []
        worst = 0.0
        for request in requests:
            usd = self.purchase.worst_usd(request, is_batch=True)
            if chunk and (len(chunk) == self.settings.max_requests or worst + usd > self.purchase.budget.left_usd):
                yield chunk
                chunk, worst = [], 0.0
            if worst + usd > self.purchase.budget.left_usd:
                self.purchase.stop_at_budget()
                return
            chunk.append(request)
            worst += usd
        if chunk:
            yield chunk

    def _submit(self, chunk: list[Request]) -> tuple[str, Row]:
        name = hashlib.sha256("".join(request.key for request in chunk).encode()).hexdigest()[:32]
        worst = sum(self.purchase.worst_usd(request, is_batch=True) for request in chunk)
        batch = self._find(name) or self._create(chunk, name, worst)
        row = {
            "kind": "batch",
            "batch_id": batch.id,
            "keys": [request.key for request in chunk],
            "usd": worst,
            "at": now(),
        }
        self.purchase.segment.append(row)
        self.purchase.budget.spent_usd += worst
        say(f"distill: batch {batch.id} of {len(chunk):,} requests is submitted; a killed run will find it again")
        return batch.id, row

    def _is_missing(self, request: Request) -> bool:
        return request.key not in self.answered and self.num_unreadable[request.key] < MAX_UNREADABLE

    def _find(self, name: str) -> Any:
        """A batch of this name that the server knows and the ledger does not (the run was killed in between)."""
        known = {row["batch_id"] for _, row in self.ledger.rows() if row["kind"] == "batch"}
        return next((batch for batch in self.client.latest(name) if batch.id not in known | self.ended), None)

    def _create(self, chunk: list[Request], name: str, worst_usd: float) -> Any:
        """Submit a chunk; where the connection breaks, look whether the server has the batch before its worst case is counted."""
        lines = [
            json.dumps({"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions",
                        "body": body_of(request)}, ensure_ascii=False)
            for request in chunk
        ]  # fmt: skip
        file_id = self.client.upload("\n".join(lines).encode(errors="replace"), name)
        try:
            return self.client.create(file_id, name)
        except Exception as error:
            failure = failure_of(error)
            if failure is None or not failure.may_be_billed:
                raise
            if batch := self._find(name):
                return batch
            self.purchase.record_failure(f"batch {name}", failure.reason, worst_usd)
            self.purchase.budget.spent_usd += worst_usd
            raise

    def _collect(self, batch_id: str, row: Row, request_of: dict[str, Request]) -> None:
        """Wait for a batch and record every answer that it holds; till then its worst case counts as spent."""
        budget = self.purchase.budget
        batch = self._wait(batch_id)
        lines = Lines(row, request_of, self.purchase)
        with contextlib.ExitStack() as files:
            streams = [files.enter_context(self.client.download(file_id))
                       for file_id in (batch.output_file_id, batch.error_file_id) if file_id]  # fmt: skip
            budget.spent_usd -= row["usd"]
            for line in itertools.chain.from_iterable(map(file_lines, streams)):
                self._record(line, lines)
        self._count_lost(lines, num_completed(batch) or 0)
        self.purchase.segment.append(
            {"kind": "batch_end", "batch_id": batch_id, "status": printable(scrub(str(batch.status))), "at": now()}
        )
        self.ended.add(batch_id)
        num = len(self.answered & lines.keys)
        say(
            f"distill: batch {batch_id} {batch.status}: {num:,} of {len(row['keys']):,} answered, {budget.spent_usd:.4f} USD spent"
        )
        if batch.status == "failed":
            errors = [error.message for error in (batch.errors.data if batch.errors else None) or []]
            raise StageError(f"the server refused batch {batch_id}: {scrub('; '.join(map(str, errors)))[:500]}")

    def _wait(self, batch_id: str) -> Any:
        while True:
            batch = self.client.retrieve(batch_id)
            if batch.status in ENDED:
                return batch
            if (completed := num_completed(batch)) is not None:
                self.purchase.tracker.note = f"batch {printable(scrub(batch.status))}: {completed} answered"
            time.sleep(self.settings.poll_seconds)

    def _record(self, line: bytes, lines: Lines) -> None:
        """One line of a batch's files: an answer once (a line may be delivered twice), else what it may have cost."""
        key, outcome = read_line(line, self.purchase.price, lines.worst_usage)
        if key not in lines.keys:
            lines.strangers[line] = outcome
            return
        lines.told.add(key)
        if key in self.answered:
            return
        # A request that is no longer asked was paid all the same: its answer is kept for when it is.
        request = lines.request_of.get(key) or Request(key, [], {})
        if (
            outcome.rejection
            and request.messages
            and (stop := refusal_of_parameter(outcome.rejection.completion, body_of(request)))
        ):
            self.purchase.stop(stop)
            return
        if answer := outcome.answer or outcome.rejection:
            usd = lines.worst_usd(key) if answer.is_estimated else self.purchase.usd_of(answer, "batch")
            self.answered.add(key)
            self.purchase.record(request, answer, "batch", usd)
            self.purchase.budget.spent_usd += usd
            if request.messages:
                self.purchase.note_excess(request, usd, is_batch=True)
        else:
            self.num_unreadable[key] += outcome.reason == UNREADABLE
            self._waste(key, outcome, lines.worst_usd(key))

    def _waste(self, key: str, outcome: Outcome, worst_usd: float) -> None:
        """Note what may have been paid for no answer."""
        usd = worst_usd if outcome.billed_usd is None else outcome.billed_usd * self.purchase.price.batch_factor
        if usd or outcome.reply:
            self.purchase.record_failure(key, outcome.reason, usd, outcome.reply)
            self.purchase.budget.spent_usd += usd

    def _count_lost(self, lines: Lines, num_completed: int) -> None:
        """Answers that the server has written and no line gives: any of the requests without a line may have been paid."""
        silent = sorted(lines.keys - lines.told - self.answered)
        num_lost = max(len(lines.strangers), num_completed - len(lines.told))
        if num_lost <= 0:
            return
        say(f"distill: {num_lost:,} answers of a batch cannot be read; they count at their worst case, and what came of them "
            f"is kept in {self.purchase.segment.path}")  # fmt: skip
        self.num_unreadable.update(silent)
        worst = max(map(lines.worst_usd, silent), default=0.0)
        replies = [outcome.reply for outcome in lines.strangers.values()]
        for reply, _ in itertools.zip_longest(replies, range(min(num_lost, len(silent))), fillvalue=""):
            self._waste("", Outcome(reason=UNREADABLE, billed_usd=None, reply=str(reply)), worst)


def num_completed(batch: Any) -> int | None:
    """How many requests the server says it has answered; None where it says nothing that can be read."""
    completed = getattr(batch.request_counts, "completed", None)
    return completed if isinstance(completed, int) else None
