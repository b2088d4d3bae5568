"""The teacher behind OpenAI's Batch API: half the price, within a day.

A batch's id is in the ledger before it is waited for, so a killed run polls it when it is started again. Between the
server's creating a batch and the ledger's knowing it a kill could hide it: each batch carries its name, a hash of its
keys, and before one is submitted the server's own list is searched for that name. An expired or cancelled batch keeps
what it has answered; what failed is asked again in a next batch. `custom_id` is the request's key.
"""

import hashlib
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stages.core.command import StageError, say
from stages.core.redaction import printable, scrub
from stages.distillation.billing import Usage
from stages.distillation.chat import api_key
from stages.distillation.ledger import Ledger, Row, now
from stages.distillation.outcomes import Outcome, outcome_of_error, read_body
from stages.distillation.purchase import Answer, Purchase, Request
from stages.generation.ends import End, end_of

ENDED = {"completed", "failed", "expired", "cancelled"}
NAME = "ninechapters"
MAX_ROUNDS = 4


@dataclass(frozen=True)
class BatchSettings:
    poll_seconds: float
    max_requests: int  # in one batch (OpenAI takes 50,000)


class BatchTeacher:
    """Submits, waits for and collects batches; one at a time, as a batch's queue limit is the account's."""

    def __init__(self, purchase: Purchase, ledger: Ledger, settings: BatchSettings) -> None:
        from openai import OpenAI

        self.client: Any = OpenAI(api_key=api_key(), max_retries=5)
        self.purchase, self.ledger, self.settings = purchase, ledger, settings
        # A run killed while it recorded a batch has some of its answers already: they are not recorded, nor paid, twice.
        keys = {key for row in ledger.open_batches().values() for key in row["keys"]}
        self.answered = set(ledger.answers(keys))
        self.ended: set[str] = set()  # batches that this run has collected

    def ask(self, requests: list[Request]) -> None:
        """Ask for all requests, or until the purchase stops."""
        request_of = {request.key: request for request in requests}
        try:
            for batch_id, row in self.ledger.open_batches().items():
                self._collect(batch_id, row, request_of)
            for _ in range(MAX_ROUNDS):
                missing = [request for request in requests if request.key not in self.answered]
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
        batch = self._find(name) or self._create(chunk, name)
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

    def _find(self, name: str) -> Any:
        """A batch of this name that the server knows and the ledger does not (the run was killed in between)."""
        known = {row["batch_id"] for _, row in self.ledger.rows() if row["kind"] == "batch"}
        for batch in self.client.batches.list(limit=100).data:  # the latest hundred
            if (batch.metadata or {}).get(NAME) == name and batch.id not in known | self.ended:
                return batch
        return None

    def _create(self, chunk: list[Request], name: str) -> Any:
        lines = [
            json.dumps({"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions",
                        "body": {**request.sampling, "messages": request.messages}}, ensure_ascii=False)
            for request in chunk
        ]  # fmt: skip
        content = io.BytesIO("\n".join(lines).encode())
        file = self.client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
        return self.client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={NAME: name}
        )

    def _collect(self, batch_id: str, row: Row, request_of: dict[str, Request]) -> None:
        """Wait for a batch and record every answer that it holds; till then its worst case counts as spent."""
        budget = self.purchase.budget
        batch = self._wait(batch_id)
        budget.spent_usd -= row["usd"]
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                for line in self.client.files.content(file_id).text.splitlines():
                    self._record(line, request_of, set(row["keys"]))
        self.purchase.segment.append(
            {"kind": "batch_end", "batch_id": batch_id, "status": printable(scrub(str(batch.status))), "at": now()}
        )
        self.ended.add(batch_id)
        num = len(self.answered & set(row["keys"]))
        say(
            f"distill: batch {batch_id} {batch.status}: {num:,} of {len(row['keys']):,} answered, {budget.spent_usd:.4f} USD spent"
        )
        if batch.status == "failed":
            errors = [error.message for error in (batch.errors.data if batch.errors else None) or []]
            raise StageError(f"the server refused batch {batch_id}: {scrub('; '.join(map(str, errors)))[:500]}")

    def _wait(self, batch_id: str) -> Any:
        while True:
            batch = self.client.batches.retrieve(batch_id)
            if batch.status in ENDED:
                return batch
            if batch.request_counts:
                counts = batch.request_counts
                self.purchase.tracker.note = f"batch {batch.status}: {counts.completed} of {counts.total}"
            time.sleep(self.settings.poll_seconds)

    def _record(self, line: str, request_of: dict[str, Request], keys: set[str]) -> None:
        """One line of a batch's output: an answer once (a line may be delivered twice), else what it may have cost."""
        try:
            entry = json.loads(line)
            key, response = str(entry["custom_id"]), entry.get("response") or {}
            status, body = response.get("status_code"), response.get("body")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            say("distill: a line of a batch's output is not JSON; its request will be asked again")
            return
        if key not in keys or key in self.answered:
            return
        # A request that is no longer asked was paid all the same: its answer is kept for when it is.
        request = request_of.get(key) or Request(key, [], {})
        outcome = self._outcome(status, body)
        worst = self.purchase.worst_usd(request) if request.messages else 0.0
        usd = outcome.usd(worst) * self.purchase.price.batch_factor
        if outcome.answer:
            usd = self.purchase.usd_of(outcome.answer, "batch")
            self.answered.add(key)
            self.purchase.record(request, outcome.answer, "batch", usd)
        elif usd:
            failure = {"kind": "failure", "key": key, "reason": outcome.reason, "usd": usd, "at": now()}
            self.purchase.segment.append(failure)
        self.purchase.budget.spent_usd += usd

    def _outcome(self, status: object, body: Any) -> Outcome:
        if status == 200:
            return read_body(body, self.purchase.price, Usage(0, 0))
        if isinstance(status, int) and end_of(status, (), "") is End.REFUSED:
            message = printable(scrub(json.dumps(body, ensure_ascii=False)))[:500]
            return Outcome(Answer(message, "rejected", "", 0, 0))
        return Outcome(reason=printable(scrub(str(status)))[:100])
