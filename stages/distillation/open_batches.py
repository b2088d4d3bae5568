"""What one run knows of one model's batches: which are under way, and what became of each request.

batches = OpenBatches(client, purchase, ledger, under_way, BatchSettings(poll_seconds=30, ...))
batches.missing()   # the requests that may go into a next batch
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from stages.distillation.batch_client import BatchClient
from stages.distillation.batch_queue import BatchQueue, prompt_tokens
from stages.distillation.chat import server_url
from stages.distillation.ledger import Ledger, Row
from stages.distillation.purchase import Purchase, Request
from stages.distillation.rejections import Rejections

MAX_ROUNDS = 4
MAX_UNREADABLE = 2  # lines for one request that cannot be read; then it is not bought again in this run


@dataclass(frozen=True)
class BatchSettings:
    poll_seconds: float
    max_requests: int  # in one batch (OpenAI takes 50,000)
    max_batches: int  # under way at once
    max_tokens: int  # of prompts in all batches under way; 0: the server's limit is not known
    patience_seconds: float  # how long the server may answer nothing


class OpenBatches:
    """Shared by who submits and who collects."""

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
        self.request_of = {request.key: request for request in purchase.requests}
        self.siblings = [self]  # those that spend the same budget
        self.has_failed = False  # the server's fault, which stops the purchase
        # A run killed while it recorded a batch has some of its answers already: they are not recorded, nor paid, twice.
        self.under_way = under_way
        self.answered = set(ledger.answers({key for row in under_way.values() for key in row["keys"]}))
        self.ended: set[str] = set()  # batches that this run has collected
        self.left: dict[
            str, Row
        ] = {}  # batches that stay open, as what they hold cannot be had; their requests are not asked again
        self.rejections = Rejections(purchase, "batch")
        self.refused: set[str] = set()  # keys of refusals that are not recorded yet
        self.num_tries: Counter[str] = Counter()  # batches of this run with a request
        self.num_unreadable: Counter[str] = Counter()  # lines that were paid and cannot be read, by request
        self.words: dict[str, str] = {}  # why a request has no answer, by key

    @property
    def is_waiting(self) -> bool:
        """Whether batches are under way that this run still collects."""
        return bool(self.under_way) and not self.has_failed

    def missing(self) -> list[Request]:
        """The requests without an answer that are in no batch, and may be asked once more."""
        rows = [*self.under_way.values(), *self.left.values()]
        busy = {key for row in rows for key in row["keys"]} | self.refused | self.answered
        return [
            request for request in self.purchase.requests if request.key not in busy and self._may_be_asked(request.key)
        ]

    def _may_be_asked(self, key: str) -> bool:
        return self.num_unreadable[key] < MAX_UNREADABLE and self.num_tries[key] < MAX_ROUNDS

    def asked(self, keys: Iterable[str]) -> list[Request]:
        """Those of the keys that are still asked for."""
        return [self.request_of[key] for key in keys if key in self.request_of]

    def sizes(self, batches: dict[str, Row]) -> list[int]:
        """The tokens of each of some batches."""
        return [prompt_tokens(self.asked(row["keys"])) for row in batches.values()]

    def note_full(self, chunk: Collection[Request], words: str, under_way: list[int]) -> None:
        """Make smaller batches, or wait for one of any model to end; where a single request is refused with nothing else queued, all stops."""
        under_way = under_way + [0 for other in self.siblings if other is not self and other.is_waiting]
        if len(chunk) == 1 and not under_way:
            self.purchase.stop(f"the server's queue has no room for one request: {words}. Other batches of the account may fill "
                               "it: wait for them, or ask with TEACHER_VIA=chat")  # fmt: skip
        self.queue.refused(prompt_tokens(chunk), words, under_way)


def server_name() -> str:
    """Which server is asked, as a batch's row names it: a hash, since an address may be nobody else's business."""
    return hashlib.sha256(server_url().partition("?")[0].rstrip("/").encode()).hexdigest()[:12]
