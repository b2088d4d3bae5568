"""The files of one batch that has ended: whether they can be all that it has answered, before anything is recorded.

    files = BatchFiles(row, batches)
    files.look(streams); files.fault(state, counts)   # "" or "lacks lines of 3 requests"

A download costs nothing and an answer does: a page of a gateway in the place of a file, a file that is cut or empty, or lines in a
form that nobody reads are looked at again, and never taken for requests that have no answer.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from stages.distillation.batch_lines import UNREADABLE, file_lines, read_line
from stages.distillation.batch_status import Counts, State
from stages.distillation.billing import Usage
from stages.distillation.ledger import Row
from stages.distillation.outcomes import Outcome
from stages.distillation.purchase import Purchase, Request
from stages.generation.bodies import MAX_REPLY_BYTES


class BatchFiles:
    """What is known of one batch; `row` is the ledger's, `answered` the keys whose answers are recorded."""

    def __init__(self, row: Row, request_of: dict[str, Request], answered: Collection[str], purchase: Purchase) -> None:
        self.keys, self.request_of, self.answered, self.purchase = set(row["keys"]), request_of, answered, purchase
        asked = self.keys & request_of.keys() - set(answered)
        known = sum(purchase.worst_usd(request_of[key], is_batch=True) for key in asked)
        # The requests that are no longer asked share what is left of the batch's worst case.
        self.share_usd = max(0.0, row["usd"] - known) / max(1, len(self.keys - asked - set(answered)))

    def outcomes(self, streams: Iterable[BinaryIO]) -> Iterator[tuple[str, Outcome, bytes]]:
        """(key, outcome, line) of each line, from the beginning; the key of none of the batch's requests is ""."""
        for stream in streams:
            stream.seek(0)
            for line in file_lines(stream):
                key, outcome = read_line(line, self.purchase.price, self.worst_usage)
                yield (key if key in self.keys else ""), outcome, line

    def look(self, streams: Iterable[BinaryIO]) -> "Look":
        """What the lines tell, without recording it."""
        look = Look(self.keys - set(self.answered))
        for stream in streams:
            for key, outcome, line in self.outcomes([stream]):
                look.add(key, outcome, line)
        return look

    def worst_usage(self, key: str) -> Usage:
        request = self.request_of.get(key)
        return self.purchase.worst_usage(request) if request else Usage(0, 0, is_estimated=True)

    def worst_usd(self, key: str) -> float:
        """At the batch's price."""
        request = self.request_of.get(key)
        return self.purchase.worst_usd(request, is_batch=True) if request else self.share_usd


@dataclass
class Look:
    """What the files of a batch have lines for."""

    silent: set[str]  # keys without a line
    read: set[str] = field(default_factory=set)  # keys whose line can be read
    strangers: set[bytes] = field(default_factory=set)  # lines that tell no key of the batch
    num_lines: int = 0
    num_failed: int = 0
    num_answered: int = 0
    is_cut: bool = False  # a file's last line

    def add(self, key: str, outcome: Outcome, line: bytes) -> None:
        is_readable = outcome.reason != UNREADABLE and key != ""
        self.num_lines += 1
        self.silent.discard(key)
        if not key:
            self.strangers.add(line)
        if is_readable and key not in self.read:
            self.read.add(key)
            self.num_answered += outcome.answer is not None
            self.num_failed += outcome.answer is None
        is_last = not line.endswith(b"\n") and len(line) < MAX_REPLY_BYTES
        self.is_cut |= is_last and not is_readable and key not in self.read

    def fault(self, state: State, counts: Counts) -> str:
        """Why these are not all lines that the batch has; "" where they are, or the server says itself that it has no more."""
        if self.num_lines and not self.read:
            return "has files with none of its lines"
        if self.is_cut:
            return "has a file that is cut off"
        num_missing = len(self.silent) - len(self.strangers)
        if state is State.COMPLETED:
            num_missing -= max(0, (counts.failed or 0) - self.num_failed)
        else:
            num_missing = min(num_missing, (counts.completed or 0) - self.num_answered)
        return f"has files without a line for {num_missing:,} of its requests" if num_missing > 0 else ""
