"""What a server says of a batch: its status in any server's words, its counts and its errors.

    state_of(batch) is State.ENDED; counts_of(batch, 20) == Counts(completed=18, failed=2); errors_of(batch) == [("code", "words")]

OpenAI writes `completed`, Together `COMPLETED`, Mistral `SUCCESS`, Anthropic `ended`, Gemini `JOB_STATE_SUCCEEDED`. A word that
nobody knows is not an end, and is not waited for without bound either.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from stages.core.redaction import printable, scrub


class State(Enum):
    UNDER_WAY = "under way"
    COMPLETED = "completed"  # the files say of each request what became of it
    ENDED = "ended"  # expired, cancelled: some requests were answered
    FAILED = "failed"  # taken and then refused as a whole
    UNKNOWN = "unknown"


PREFIX = re.compile(r"^.*[./]|^(?:job|batch)[_ -]?(?:state|status)[_ -]")  # BatchStatus.COMPLETED, JOB_STATE_SUCCEEDED
WORDS = {
    State.UNDER_WAY: (
        "validating validated in_progress inprogress finalizing finalising cancelling canceling cancellation_requested queued pending "
        "running created creating processing submitted submitting scheduled not_started started starting uploading paused preparing "
        "initializing waiting active resuming"
    ),
    State.COMPLETED: "completed complete succeeded succeed success successful ended done finished",
    State.ENDED: "expired cancelled canceled aborted timed_out stopped partially_succeeded partially_completed",
    State.FAILED: "failed failure error errored invalid rejected validation_failed",
}
STATE_OF = {word: state for state, words in WORDS.items() for word in words.split()}
ENDS = (State.COMPLETED, State.ENDED, State.FAILED)


class Counts(NamedTuple):
    """How many requests the server says it has answered, and failed to answer; None: it says no number that may be."""

    completed: int | None
    failed: int | None


def state_of(batch: Any) -> State:
    word = PREFIX.sub("", batch.status.strip().lower())
    return STATE_OF.get(re.sub(r"[\s-]+", "_", word), State.UNKNOWN)


def status_word(batch: Any) -> str:
    """The server's own word, as it may be shown."""
    return printable(scrub(batch.status))[:100]


def counts_of(batch: Any, num_requests: int) -> Counts:
    """The counts, none of which is believed above the number of the batch's requests."""
    counts = plain(getattr(batch, "request_counts", None))
    counts = counts if isinstance(counts, dict) else {}
    return Counts(_count(counts.get("completed"), num_requests), _count(counts.get("failed"), num_requests))


def _count(value: Any, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def errors_of(batch: Any) -> list[tuple[str, str]]:
    """(code, words) of each error of a batch, in whatever form the server tells them: an object with `data`, a list, a text."""
    errors = plain(getattr(batch, "errors", None)) or plain(getattr(batch, "error", None))
    return [(printable(scrub(code))[:100], printable(scrub(words))[:500]) for code, words in _errors(errors)]


def _errors(errors: Any) -> Iterator[tuple[str, str]]:
    if isinstance(errors, list):
        for error in errors:
            yield from _errors(error)
    elif isinstance(errors, dict) and (inner := errors.get("data") or errors.get("errors") or errors.get("error")):
        yield from _errors(inner)
    elif isinstance(errors, dict) and not {"code", "message", "type", "detail"} & errors.keys():
        for error in errors.values():
            yield from _errors(error)
    elif isinstance(errors, dict):
        code = errors.get("code") or errors.get("type") or ""
        yield str(code), str(errors.get("message") or errors.get("detail") or code)
    elif errors is not None and errors != "":
        yield "", str(errors)


def plain(value: Any) -> Any:
    """A client's object as plain dictionaries and lists."""
    if hasattr(value, "model_fields_set"):
        return {name: plain(member) for name, member in value}
    if isinstance(value, dict):
        return {str(name): plain(member) for name, member in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value
