"""The teacher behind OpenAI's Batch API: half the price, within a day.

A batch's id is in the ledger before it is waited for, so a killed run polls it when it is started again. An expired or cancelled
batch keeps what it has answered; what failed is asked again in a next batch. `custom_id` is the request's key.
"""

from collections.abc import Callable

from stages.core.redaction import scrub
from stages.distillation.batch_collection import Collector
from stages.distillation.batch_submission import Submitter
from stages.distillation.open_batches import OpenBatches
from stages.distillation.outcomes import outcome_of_error


class BatchTeacher:
    """Submits and collects the batches of one model: as many at once as the server's queue for it takes."""

    def __init__(self, batches: OpenBatches) -> None:
        self.batches, self.purchase = batches, batches.purchase
        self.submitter, self.collector = Submitter(batches), Collector(batches)

    @property
    def is_waiting(self) -> bool:
        """Whether batches are under way that this run still collects."""
        return self.batches.is_waiting

    def submit(self) -> int:
        """Submit batches of what is missing, as far as limits and budget go: their number."""
        return self._attempt(self.submitter.submit_what_fits)

    def collect(self) -> int:
        """Collect the batches that have ended: their number."""
        return self._attempt(self.collector.collect_ended)

    def give_up_rest(self) -> None:
        """Note why requests have no answer."""
        for key in self.batches.request_of.keys() - self.batches.answered:
            self.purchase.gave_up.setdefault(key, self.batches.words.get(key, "not answered in its batches"))

    def _attempt(self, step: Callable[[], int]) -> int:
        """The number that a step gives; 0 from the server's first fault on, which stops the purchase of all models."""
        if self.batches.has_failed:
            return 0
        try:
            return step()
        except Exception as error:
            outcome = outcome_of_error(error)
            if outcome is None:
                raise
            self.purchase.stop(outcome.stop or f"the server failed ({outcome.reason}): {scrub(str(error))[:300]}")
            self.batches.has_failed = True
            return 0
