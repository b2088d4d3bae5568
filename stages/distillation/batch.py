"""The teacher behind OpenAI's Batch API: half the price, within a day.

A batch's id is in the ledger before it is waited for, so a killed run polls it when it is started again. Between the
server's creating a batch and the ledger's knowing it a kill could hide it: each batch carries its name, a hash of its
keys, and before one is submitted the server's own list is searched for that name. An expired or cancelled batch keeps
what it has answered; what failed is asked again in a next batch. `custom_id` is the request's key.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from stages.core.command import StageError, say
from stages.core.redaction import printable, scrub
from stages.distillation.batch_client import BatchClient
from stages.distillation.batch_lines import UNREADABLE, Lines, file_lines, read_line
from stages.distillation.batch_queue import BatchQueue, is_full, prompt_tokens
from stages.distillation.ledger import Ledger, Row, now
from stages.distillation.outcomes import Outcome, outcome_of_error
from stages.distillation.parameters import body_of, refusal_of_parameter
from stages.distillation.patience import Patience
from stages.distillation.purchase import Answer, Purchase, Request
from stages.distillation.rejections import Rejections
from stages.distillation.served_models import complaint, is_allowed
from stages.generation.ends import End
from stages.generation.rests import backoff_seconds
from stages.generation.transport import failure_of, failure_of_status

T = TypeVar("T")

ENDED = {"completed", "failed", "expired", "cancelled"}
MAX_ROUNDS = 4
MAX_UNREADABLE = 2  # lines for one request that cannot be read; then it is not bought again in this run


@dataclass(frozen=True)
class BatchSettings:
    poll_seconds: float
    max_requests: int  # in one batch (OpenAI takes 50,000)
    max_batches: int  # under way at once
    max_tokens: int  # of prompts in all batches under way; 0: the server's limit is not known
    patience_seconds: float  # how long the server may answer nothing


class BatchTeacher:
    """Submits and collects the batches of one model: as many at once as the server's queue for it takes."""

    def __init__(
        self,
        client: BatchClient,
        purchase: Purchase,
        ledger: Ledger,
        under_way: dict[str, Row],
        settings: BatchSettings,
    ) -> None:
        self.client, self.purchase, self.ledger, self.settings = client, purchase, ledger, settings
        self.queue = BatchQueue(settings.max_batches, settings.max_tokens)
        self.patience = Patience(settings.patience_seconds)
        self.request_of = {request.key: request for request in purchase.requests}
        self.siblings = [self]  # those that spend the same budget
        self.has_failed = False  # the server's fault, which stops the purchase
        # A run killed while it recorded a batch has some of its answers already: they are not recorded, nor paid, twice.
        self.under_way = under_way
        keys = {key for row in self.under_way.values() for key in row["keys"]}
        self.answered = set(ledger.answers(keys))
        self.ended: set[str] = set()  # batches that this run has collected
        self.rejections = Rejections(purchase, "batch")
        self.num_tries: Counter[str] = Counter()  # batches of this run with a request
        self.num_unreadable: Counter[str] = Counter()  # lines that were paid and cannot be read, by request
        self.words: dict[str, str] = {}  # why a request has no answer, by key

    def attempt(self, step: Callable[[], int]) -> int:
        """The number that a step gives; 0 from the server's first fault on, which stops the purchase of all models."""
        if self.has_failed:
            return 0
        try:
            return step()
        except Exception as error:
            outcome = outcome_of_error(error)
            if outcome is None:
                raise
            self.purchase.stop(outcome.stop or f"the server failed ({outcome.reason}): {scrub(str(error))[:300]}")
            self.has_failed = True
            return 0

    def is_waiting(self) -> bool:
        """Whether batches are under way that this run still collects."""
        return bool(self.under_way) and not self.has_failed

    def give_up_rest(self) -> None:
        """Note why requests have no answer."""
        for key in self.request_of.keys() - self.answered:
            self.purchase.gave_up.setdefault(key, self.words.get(key, "not answered in its batches"))

    def submit_what_fits(self) -> int:
        """Submit batches of what is missing, as far as limits and budget go: their number."""
        num_before = len(self.under_way)
        self._submit_chunks()
        return len(self.under_way) - num_before

    def _submit_chunks(self) -> None:
        busy = {key for row in self.under_way.values() for key in row["keys"]} | {
            request.key for request, _, _ in self.rejections.pending
        }
        missing = [
            request for request in self.purchase.requests if request.key not in busy and self._is_missing(request)
        ]
        for chunk in self._affordable_chunks(missing):
            tokens = [
                prompt_tokens([self.request_of[key] for key in row["keys"] if key in self.request_of])
                for row in self.under_way.values()
            ]
            if self.purchase.stop_reason or not self.queue.has_room(prompt_tokens(chunk), tokens):
                return
            try:
                self._submit(chunk)
            except Exception as error:
                failure = failure_of(error)
                if failure is None or not is_full(failure.words):
                    raise
                self._note_full(chunk, failure.words, tokens)
                if self.queue.is_blocked:
                    return
                return self._submit_chunks()

    def _note_full(self, chunk: list[Request], words: str, under_way: list[int]) -> None:
        """Make smaller batches, or wait for one of any model to end; where a single request is refused with nothing else queued, all stops."""
        under_way = under_way + [0 for teacher in self.siblings if teacher is not self and teacher.is_waiting()]
        if len(chunk) == 1 and not under_way:
            self.purchase.stop(f"the server's queue has no room for one request: {words}. Other batches of the account may fill "
                               "it: wait for them, or ask with TEACHER_VIA=chat")  # fmt: skip
        self.queue.refused(prompt_tokens(chunk), words, under_way)

    def collect_ended(self) -> int:
        """Collect the batches that have ended: their number."""
        ended = 0
        for batch_id, row in list(self.under_way.items()):
            batch = self._patiently(functools.partial(self.client.retrieve, batch_id))
            if batch.status in ENDED:
                self._collect(batch, row)
                ended += 1
            elif (completed := num_completed(batch)) is not None:
                self.purchase.tracker.note = f"batch {printable(scrub(batch.status))}: {completed} answered"
        return ended

    def _patiently(self, ask: Callable[[], T], is_paid: bool = False) -> T:
        """What a call of the client gives, asked again while the server is away, for as long as TEACHER_PATIENCE says."""
        for attempt in itertools.count(1):
            try:
                found = ask()
            except Exception as error:
                failure = failure_of(error)
                if failure is None or failure.end in (End.STOP, End.REFUSED) or is_full(failure.words):
                    raise
                if is_paid and failure.may_be_billed:
                    raise
                if not self.patience.waits(f"{failure.reason} {failure.words}".strip()):
                    raise StageError(f"{self.patience.ended}. Batches under way are found again.") from error
                time.sleep(backoff_seconds(attempt, self.settings.poll_seconds / 2, failure.retry_after))
            else:
                self.patience.answered()
                return found
        raise AssertionError

    def _affordable_chunks(self, requests: list[Request]) -> Iterator[list[Request]]:
        """Chunks for which the limits of a batch, of the queue and of the budget have room; where the budget ends and no batch
        under way, of any model, can give some of it back, the purchase stops."""
        chunk: list[Request] = []
        worst, tokens = 0.0, 0
        for request in requests:
            usd, size = self.purchase.worst_usd(request, is_batch=True), prompt_tokens([request])
            is_whole = len(chunk) == self.settings.max_requests or 0 < self.queue.max_tokens < tokens + size
            if chunk and (is_whole or worst + usd > self.purchase.budget.left_usd):
                yield chunk
                chunk, worst, tokens = [], 0.0, 0
            if worst + usd > self.purchase.budget.left_usd:
                if not any(teacher.is_waiting() for teacher in self.siblings):
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
            "at": now(),
        }
        self.purchase.segment.append(row)
        self.purchase.budget.spent_usd += worst
        self.under_way[batch.id] = row
        self.num_tries.update(row["keys"])
        say(f"distill: batch {batch.id} of {len(chunk):,} requests is submitted; a killed run will find it again")

    def _is_missing(self, request: Request) -> bool:
        key = request.key
        is_given_up = self.num_unreadable[key] >= MAX_UNREADABLE or self.num_tries[key] >= MAX_ROUNDS
        return key not in self.answered and not is_given_up

    def _find(self, name: str) -> Any:
        """A batch of this name that the server knows and the ledger does not (the run was killed in between)."""
        known = {row["batch_id"] for _, row in self.ledger.rows() if row["kind"] == "batch"}
        return next(
            (
                batch
                for batch in self._patiently(lambda: self.client.latest(name))
                if batch.id not in known | self.ended
            ),
            None,
        )

    def _create(self, chunk: list[Request], name: str, worst_usd: float) -> Any:
        """Submit a chunk; where the connection breaks, look whether the server has the batch before its worst case is counted."""
        lines = [
            json.dumps({"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions",
                        "body": body_of(request)}, ensure_ascii=False)
            for request in chunk
        ]  # fmt: skip
        file_id = self._patiently(lambda: self.client.upload("\n".join(lines).encode(errors="replace"), name))
        try:
            return self._patiently(lambda: self.client.create(file_id, name), is_paid=True)
        except Exception as error:
            failure = failure_of(error)
            if failure is None or not failure.may_be_billed:
                raise
            if batch := self._find(name):
                return batch
            self.purchase.record_failure(f"batch {name}", failure.reason, worst_usd)
            self.purchase.budget.spent_usd += worst_usd
            raise

    def _collect(self, batch: Any, row: Row) -> None:
        """Record every answer that a batch which has ended holds; till then its worst case counts as spent."""
        budget, lines = self.purchase.budget, Lines(row, self.request_of, self.purchase)
        file_ids = [file_id for file_id in (batch.output_file_id, batch.error_file_id) if file_id]
        with contextlib.ExitStack() as files:
            streams = [self._patiently(functools.partial(self._opened, files, file_id)) for file_id in file_ids]
            budget.spent_usd -= row["usd"]
            for line in itertools.chain.from_iterable(map(file_lines, streams)):
                self._record(line, lines)
        self._count_lost(lines, num_completed(batch) or 0)
        del self.under_way[batch.id]
        num, num_refused = len(self.answered & lines.keys), len(self.rejections.pending)
        self.answered |= self.rejections.settle(is_last=not self.under_way)
        end = {"kind": "batch_end", "batch_id": batch.id, "status": printable(scrub(str(batch.status))), "at": now()}
        self.purchase.segment.append(end)
        self.ended.add(batch.id)
        for teacher in self.siblings:
            teacher.queue.is_blocked = False
        told = f", {num_refused:,} refused" if num_refused else ""
        say(
            f"distill: batch {batch.id} {batch.status}: {num:,} of {len(row['keys']):,} answered{told}, {budget.spent_usd:.4f} USD spent"
        )
        if batch.status == "failed":
            self._note_failed(batch, row)

    def _opened(self, files: contextlib.ExitStack, file_id: str) -> BinaryIO:
        return files.enter_context(self.client.download(file_id))

    def _note_failed(self, batch: Any, row: Row) -> None:
        """A batch that the server took and then refused as a whole: for want of room in its queue, or for good."""
        errors = [
            (str(error.code), str(error.message)) for error in (batch.errors.data if batch.errors else None) or []
        ]
        words = printable(scrub("; ".join(message for _, message in errors)))[:500]
        if any(is_full(f"{code} {message}") for code, message in errors):
            self.num_tries.subtract(row["keys"])
            sizes = [
                prompt_tokens([self.request_of[key] for key in other["keys"] if key in self.request_of])
                for other in self.under_way.values()
            ]
            self._note_full([self.request_of[key] for key in row["keys"] if key in self.request_of], words, sizes)
            return
        told = {"error": {"code": errors[0][0], "message": words}} if errors else {}
        failure = failure_of_status(400, {}, json.dumps(told).encode(errors="replace"))
        why = failure.stop("OPENAI_API_KEY", "OPENAI_BASE_URL", "build_requests.model")
        self.purchase.stop(why or f"the server refused batch {batch.id}: {words}")

    def _note_rejection(self, request: Request, answer: Answer, num_together: int) -> None:
        """A request that the server will never take; where it names a parameter, no other one will do."""
        if request.messages and (stop := refusal_of_parameter(answer.completion, body_of(request))):
            self.purchase.stop(stop)
        else:
            self.rejections.note(request, answer, num_together // 2 + 1)
        self.words[request.key] = answer.completion

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
        if outcome.stop:
            self.purchase.stop(outcome.stop)
        if outcome.rejection:
            self._note_rejection(request, outcome.rejection, len(lines.keys))
        elif answer := outcome.answer:
            usd = lines.worst_usd(key) if answer.is_estimated else self.purchase.usd_of(answer, "batch")
            self.answered.add(key)
            self.purchase.record(request, answer, "batch", usd)
            self.purchase.budget.spent_usd += usd
            if request.messages:
                self.purchase.note_excess(request, usd, is_batch=True)
                if not is_allowed(asked := request.sampling["model"], answer.served_model):
                    self.purchase.stop(complaint(asked, answer.served_model))
        else:
            self.words[key] = outcome.stop or outcome.told
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
