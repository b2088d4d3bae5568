"""Submitting batches: as many at once as the server's queue, the limits of a batch and the budget have room for.

Between the server's creating a batch and the ledger's knowing it a kill could hide it: each batch carries its name, a hash of
its keys, and before one is submitted the server's own list is searched for that name.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from stages.core.command import say
from stages.distillation.batch_queue import is_full, prompt_tokens
from stages.distillation.ledger import now
from stages.distillation.open_batches import OpenBatches, server_name
from stages.distillation.parameters import body_of
from stages.distillation.purchase import Request
from stages.generation.transport import failure_of


class Submitter:
    def __init__(self, batches: OpenBatches) -> None:
        self.batches, self.client, self.purchase = batches, batches.client, batches.purchase

    def submit_what_fits(self) -> int:
        """Submit batches of what is missing, as far as limits and budget go: their number."""
        num_before = len(self.batches.under_way)
        self._submit_chunks()
        return len(self.batches.under_way) - num_before

    def _submit_chunks(self) -> None:
        queue = self.batches.queue
        for chunk in self._affordable_chunks(self.batches.missing()):
            tokens = self.batches.sizes(self.batches.under_way)
            if self.purchase.stop_reason or not queue.has_room(prompt_tokens(chunk), tokens):
                return
            try:
                self._submit(chunk)
            except Exception as error:
                failure = failure_of(error)
                if failure is None or not is_full(failure.words):
                    raise
                self.batches.note_full(chunk, failure.words, tokens)
                if queue.is_blocked:
                    return
                return self._submit_chunks()

    def _affordable_chunks(self, requests: list[Request]) -> Iterator[list[Request]]:
        """Chunks for which the limits of a batch, of the queue and of the budget have room; where the budget ends and no batch
        under way, of any model, can give some of it back, the purchase stops."""
        chunk: list[Request] = []
        worst, tokens = 0.0, 0
        max_requests, max_tokens = self.batches.settings.max_requests, self.batches.queue.max_tokens
        for request in requests:
            usd, size = self.purchase.worst_usd(request, is_batch=True), prompt_tokens([request])
            is_whole = len(chunk) == max_requests or 0 < max_tokens < tokens + size
            if chunk and (is_whole or worst + usd > self.purchase.budget.left_usd):
                yield chunk
                chunk, worst, tokens = [], 0.0, 0
            if worst + usd > self.purchase.budget.left_usd:
                if not any(batches.is_waiting for batches in self.batches.siblings):
                    self.purchase.stop_at_budget()
                return
            chunk.append(request)
            worst, tokens = worst + usd, tokens + size
        if chunk:
            yield chunk

    def _submit(self, chunk: list[Request]) -> None:
        name = hashlib.sha256("".join(request.key for request in chunk).encode()).hexdigest()[:32]
        worst = sum(self.purchase.worst_usd(request, is_batch=True) for request in chunk)
        batch = self._find(name) or self._create(chunk, name, worst)
        row = {
            "kind": "batch",
            "batch_id": batch.id,
            "keys": [request.key for request in chunk],
            "usd": worst,
            "model": self.purchase.model,
            "server": server_name(),
            "at": now(),
        }
        self.purchase.segment.append(row)
        self.purchase.budget.spent_usd += worst
        self.batches.under_way[batch.id] = row
        self.batches.num_tries.update(row["keys"])
        say(f"distill: batch {batch.id} of {len(chunk):,} requests is submitted; a killed run will find it again")

    def _find(self, name: str) -> Any:
        """A batch of this name that the server knows and the ledger does not (the run was killed in between)."""
        known = {row["batch_id"] for _, row in self.batches.ledger.rows() if row["kind"] == "batch"}
        known |= self.batches.ended | self.batches.left.keys()
        return next((batch for batch in self.client.latest(name) if batch.id not in known), None)

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
