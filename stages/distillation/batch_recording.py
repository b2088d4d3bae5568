"""Recording what the files of a batch hold: an answer once, though its line comes twice; else what it may have cost, and why."""

import json
import time
from collections import Counter
from typing import Any, BinaryIO

from stages.core.command import say
from stages.distillation.batch_files import BatchFiles, Look
from stages.distillation.batch_lines import UNREADABLE
from stages.distillation.batch_queue import is_full
from stages.distillation.batch_status import State, errors_of, state_of, status_word
from stages.distillation.ledger import Row
from stages.distillation.open_batches import OpenBatches
from stages.distillation.outcomes import Outcome, kept_reply
from stages.distillation.parameters import body_of, refusal_of_parameter
from stages.distillation.purchase import Answer, Request
from stages.distillation.rejections import VARIABLE
from stages.distillation.served_models import complaint, is_allowed
from stages.generation.transport import failure_of_status


class Recorder:
    def __init__(self, batches: OpenBatches) -> None:
        self.batches, self.purchase = batches, batches.purchase
        self.failed_words = ""  # of the last batch, where all its requests failed with the same ones

    def record_all(
        self, batch: Any, row: Row, files: BatchFiles, look: Look, streams: list[BinaryIO], gone: str
    ) -> None:
        """Record every line of a batch that has ended; till then its worst case counts as spent."""
        budget, num_before, words = self.purchase.budget, self.purchase.num_answered, Counter[str]()
        budget.spent_usd -= row["usd"]
        for key, outcome, _ in files.outcomes(streams):
            if key and self._record(key, outcome, files):
                words[VARIABLE.sub("#", self.batches.words[key])] += 1
        self._count_lost(batch.id, files, look, gone)
        if state_of(batch) is State.FAILED:
            self._note_failed(batch, row)
        num_refused = len(files.keys & self.batches.refused)
        self._settle(self.purchase.num_answered - num_before, words)
        refused = f", {num_refused:,} refused" if num_refused else ""
        say(f"distill: batch {batch.id} {status_word(batch)}: {len(self.batches.answered & files.keys):,} of {len(row['keys']):,} answered"
            f"{refused}, {budget.spent_usd:.4f} USD spent")  # fmt: skip

    def _record(self, key: str, outcome: Outcome, files: BatchFiles) -> bool:
        """Record one line; whether it is a failure that may heal."""
        if key in self.batches.answered:
            return False
        if outcome.stop:
            self.purchase.stop(outcome.stop)
        if outcome.rejection:
            self._note_rejection(key, outcome.rejection, len(files.keys))
        elif outcome.answer:
            self.record_answer(key, outcome.answer, files)
        else:
            self.batches.words[key] = outcome.stop or outcome.told
            self.batches.num_unreadable[key] += outcome.reason == UNREADABLE
            self._waste(key, outcome, files.worst_usd(key))
            return True
        return False

    def record_answer(self, key: str, answer: Answer, files: BatchFiles) -> None:
        """Record an answer; one to a request that is no longer asked was paid all the same, and is kept for when it is."""
        request = self.batches.request_of.get(key) or Request(key, [], {})
        usd = files.worst_usd(key) if answer.is_estimated else self.purchase.usd_of(answer, "batch")
        self.batches.answered.add(key)
        self.purchase.record(request, answer, "batch", usd)
        self.purchase.budget.spent_usd += usd
        if request.messages:
            self.purchase.note_excess(request, usd, is_batch=True)
            if not is_allowed(asked := request.sampling["model"], answer.served_model):
                self.purchase.stop(complaint(asked, answer.served_model))

    def _note_rejection(self, key: str, answer: Answer, num_together: int) -> None:
        """A request that the server will never take; where it names a parameter, no other one will do."""
        request = self.batches.request_of.get(key) or Request(key, [], {})
        self.batches.words[key] = answer.completion
        if request.messages and (stop := refusal_of_parameter(answer.completion, body_of(request))):
            self.purchase.stop(stop)
        elif key not in self.batches.refused:
            self.batches.refused.add(key)
            self.batches.rejections.note(request, answer, num_together // 2 + 1)

    def _waste(self, key: str, outcome: Outcome, worst_usd: float) -> None:
        """Note what may have been paid for no answer."""
        usd = worst_usd if outcome.billed_usd is None else outcome.billed_usd * self.purchase.price.batch_factor
        if usd or outcome.reply:
            self.purchase.record_failure(key, outcome.reason, usd, outcome.reply)
            self.purchase.budget.spent_usd += usd

    def _count_lost(self, batch_id: str, files: BatchFiles, look: Look, gone: str) -> None:
        """Answers that no line gives: lines that tell no request, of which any without a line may be, and files that are gone."""
        self.batches.num_unreadable.update(look.silent if look.strangers else ())
        dearest = max(map(files.worst_usd, look.silent), default=0.0)
        for line in sorted(look.strangers):
            self._waste("", Outcome(reason=UNREADABLE, billed_usd=None, reply=kept_reply(line)), dearest)
        lost = [key for key in sorted(look.silent)[len(look.strangers) :] if gone]
        for key in lost:
            self._waste(key, Outcome(reason="lost", detail=gone, billed_usd=None), files.worst_usd(key))
            self.batches.words[key] = f"batch {batch_id}: {gone}"
        if num_lost := len(look.strangers) + len(lost):
            why = f"are lost, as {gone}" if gone else "cannot be read"
            say(f"distill: {num_lost:,} answers of batch {batch_id} {why}; they count at their worst case, and what "
                f"arrived of them is kept in {self.purchase.segment.path}")  # fmt: skip

    def _settle(self, num_answers: int, words: Counter[str]) -> None:
        """Stop where the server refuses, or fails, everyone; else record what it refuses, once it answers others."""
        is_last = len(self.batches.under_way) == 1  # the batch that has ended
        recorded = self.batches.rejections.settle(is_last)
        if num_answers:
            self.batches.rejections.answered(time.monotonic())
        self.batches.answered |= recorded
        self.batches.refused -= recorded
        equal = next(iter(words)) if len(words) == 1 and not num_answers else ""
        if equal and equal == self.failed_words and not self.purchase.num_answered:
            self.purchase.stop(f"the server answers no request, in one batch after the other: {equal}")
        self.failed_words = equal

    def _note_failed(self, batch: Any, row: Row) -> None:
        """A batch that the server took and then refused as a whole: for want of room in its queue, or for good."""
        errors = errors_of(batch)
        words = "; ".join(words for _, words in errors)[:500]
        if any(is_full(f"{code} {message}") for code, message in errors):
            self.batches.num_tries.subtract(row["keys"])
            others = {batch_id: other for batch_id, other in self.batches.under_way.items() if batch_id != batch.id}
            self.batches.note_full(self.batches.asked(row["keys"]), words, self.batches.sizes(others))
            return
        told = {"error": {"code": errors[0][0], "message": words}} if errors else {}
        failure = failure_of_status(400, {}, json.dumps(told).encode(errors="replace"))
        why = failure.stop("OPENAI_API_KEY", "OPENAI_BASE_URL", "build_requests.model")
        self.purchase.stop(why or f"the server refused batch {batch.id}: {words or 'it says no word'}")
