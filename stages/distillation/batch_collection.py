"""Collecting batches: each answer of one that has ended is recorded once, and none is bought again that the server may still give.

A batch whose files cannot be all that it has answered is looked at again, and then left open at its worst case: the next run looks
again. One that the server itself does not know any more has ended: what of it is missing counts at its worst case.
"""

import contextlib
import time
from collections import Counter
from typing import Any, BinaryIO

from stages.core.command import say
from stages.distillation.batch_client import is_gone
from stages.distillation.batch_files import BatchFiles
from stages.distillation.batch_recording import Recorder
from stages.distillation.batch_status import ENDS, State, counts_of, state_of, status_word
from stages.distillation.ledger import Row, now
from stages.distillation.open_batches import OpenBatches, server_name
from stages.generation.transport import failure_of

MAX_LOOKS = 3  # at the files of one batch in one run
Batch = Any


class Collector:
    def __init__(self, batches: OpenBatches) -> None:
        self.batches, self.client, self.purchase = batches, batches.client, batches.purchase
        self.recorder = Recorder(batches)
        self.num_looks: Counter[str] = Counter()
        self.unknown_since: dict[str, float] = {}  # batches whose status nobody knows

    def collect_ended(self) -> int:
        """Collect the batches that have ended: the number of those that are no longer under way."""
        num_before = len(self.batches.under_way)
        for batch_id, row in list(self.batches.under_way.items()):
            try:
                batch = self.client.retrieve(batch_id)
            except Exception as error:
                if not is_gone(error):
                    raise
                self._note_gone(batch_id, row, error)
            else:
                self._look_at(batch, row)
        return num_before - len(self.batches.under_way)

    def _look_at(self, batch: Batch, row: Row) -> None:
        state = state_of(batch)
        if state in ENDS:
            self._collect(batch, row, state)
        elif state is State.UNKNOWN:
            self._wait_for_unknown(batch, row)
        elif (completed := counts_of(batch, len(row["keys"])).completed) is not None:
            self.purchase.tracker.note = f"batch {status_word(batch)}: {completed} answered"

    def _wait_for_unknown(self, batch: Batch, row: Row) -> None:
        """A status that nobody knows: the batch has ended if its files are whole, else it is waited for within the patience."""
        seconds = self.batches.settings.patience_seconds
        if batch.id not in self.unknown_since:
            self.unknown_since[batch.id] = time.monotonic()
            say(f"distill: batch {batch.id} has the status {status_word(batch)!r}, which is unknown; waiting for another "
                f"one, up to {seconds:g} s (TEACHER_PATIENCE)")  # fmt: skip
        if batch.output_file_id:
            self._collect(batch, row, State.COMPLETED, is_certain=False)
        if batch.id in self.batches.under_way and time.monotonic() - self.unknown_since[batch.id] >= seconds:
            self._leave(batch.id, row, f"has the status {status_word(batch)!r}, which is none that is known")

    def _note_gone(self, batch_id: str, row: Row, error: Exception) -> None:
        """A batch that the server does not know, though it can list batches (if it cannot, the address is wrong, and all stops)."""
        if any(batch.id == batch_id for batch in self.client.listed()):
            self.num_looks[batch_id] += 1
            if self.num_looks[batch_id] >= MAX_LOOKS:
                self._leave(batch_id, row, "is in the server's list and cannot be read")
            return
        failure = failure_of(error)
        if row.get("server", server_name()) != server_name():
            self._leave(batch_id, row, "is not known to this server, as it was submitted at another OPENAI_BASE_URL: set that one "
                                       "to collect it")  # fmt: skip
        else:
            self._lose(batch_id, row, f"is not known to the server any more ({failure.words if failure else error})")

    def _collect(self, batch: Batch, row: Row, state: State, is_certain: bool = True) -> None:
        """Record what a batch holds; where its files cannot be all, only once they have been looked at several times."""
        files = BatchFiles(row, self.batches.request_of, self.batches.answered, self.purchase)
        with contextlib.ExitStack() as stack:
            streams, gone = self._streams(batch, stack)
            look = files.look(streams)
            fault = "" if gone else look.fault(state, counts_of(batch, len(files.keys)))
            if not fault:
                self.recorder.record_all(batch, row, files, look, streams, gone)
                self._end(batch.id, status_word(batch))
            elif is_certain:
                self._look_again(batch, row, files, streams, fault)

    def _streams(self, batch: Batch, stack: contextlib.ExitStack) -> tuple[list[BinaryIO], str]:
        """The batch's files that the server still has, and its words where it has one no more."""
        streams, gone = [], ""
        for file_id in (batch.output_file_id, batch.error_file_id):
            try:
                streams += [stack.enter_context(self.client.download(file_id))] if file_id else []
            except Exception as error:
                if not is_gone(error):
                    raise
                failure = failure_of(error)
                gone = f"its file {file_id} is gone ({failure.words if failure else error})"
        return streams, gone

    def _look_again(self, batch: Batch, row: Row, files: BatchFiles, streams: list[BinaryIO], fault: str) -> None:
        """Look again at the next poll; after some looks keep the answers that are there, and leave the rest open."""
        self.num_looks[batch.id] += 1
        if self.num_looks[batch.id] == 1:
            say(f"distill: batch {batch.id} ({status_word(batch)}) {fault}; looking again {MAX_LOOKS - 1} times")
        if self.num_looks[batch.id] < MAX_LOOKS:
            return
        num_before = len(self.batches.answered)
        self.purchase.budget.spent_usd -= row["usd"]
        for key, outcome, _ in files.outcomes(streams):
            if outcome.answer and key and key not in self.batches.answered:
                self.recorder.record_answer(key, outcome.answer, files)
        rest = {**row, "usd": sum(files.worst_usd(key) for key in files.keys - self.batches.answered), "at": now()}
        if len(self.batches.answered) > num_before:
            self.purchase.segment.append(rest)  # of two rows of one batch the later one counts
        else:
            rest = row
        self.purchase.budget.spent_usd += rest["usd"]
        self._leave(batch.id, rest, f"({status_word(batch)}) {fault}")

    def _leave(self, batch_id: str, row: Row, why: str) -> None:
        """Leave a batch open: neither are its requests asked again in this run, nor is it forgotten."""
        del self.batches.under_way[batch_id]
        self.batches.left[batch_id] = row
        for key in set(row["keys"]) - self.batches.answered:
            self.batches.words[key] = f"batch {batch_id} {why}"
        self._free_queues()
        say(f"distill: batch {batch_id} {why}. It counts at its worst case, {row['usd']:.4f} USD, and the next run looks "
            "again. Its requests are not sent again, except with TEACHER_VIA=chat, which pays for them a second time")  # fmt: skip

    def _lose(self, batch_id: str, row: Row, why: str) -> None:
        """End a batch that can never be had; its requests are missing again."""
        self.purchase.record_failure(f"batch {batch_id}", "lost", row["usd"])
        say(f"distill: batch {batch_id} {why}: its {len(row['keys']):,} requests count at their worst case, {row['usd']:.4f} USD, "
            "and those without an answer are sent again")  # fmt: skip
        self._end(batch_id, "lost")

    def _end(self, batch_id: str, status: str) -> None:
        self.purchase.segment.append({"kind": "batch_end", "batch_id": batch_id, "status": status, "at": now()})
        del self.batches.under_way[batch_id]
        self.batches.ended.add(batch_id)
        self._free_queues()

    def _free_queues(self) -> None:
        for batches in self.batches.siblings:
            batches.queue.is_blocked = False
