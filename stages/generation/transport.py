"""What asking an OpenAI-compatible server has in common for the teacher and the engine: why a request has no reply.

failure = failure_of(error); failure.end (stages/generation/ends.py) says what to do, failure.stop(...) what to check
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stages.core.redaction import printable, scrub
from stages.generation.ends import BILLED_STATUSES, End, end_of, stop_sentence
from stages.generation.rests import retry_after_seconds

MAX_WORDS = 500  # characters of a server's own
MAX_READ = 20_000  # characters of its body that are looked at
MAX_DEPTH = 4
CODE_NAMES = ("code", "type", "status", "reason", "error_type")
# A connection that no second try mends.
NEVER = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER|unsupported protocol|missing an? 'https?", re.IGNORECASE
)
NO_WAY = "no connection can be made to the server. Check {url}: its address, its protocol (http or https) and its certificate."


@dataclass(frozen=True)
class Failure:
    """Why a request has no reply that can be read."""

    reason: str  # the status; or no_connection, timeout, connection_lost, malformed
    status: int = 0
    words: str = ""  # the server's or the network's own, without keys and control characters
    codes: tuple[str, ...] = ()  # the server's own names of the error
    retry_after: float | None = None  # seconds, where the server says so

    @property
    def end(self) -> End:
        if self.status:
            return end_of(self.status, self.codes, self.words)
        if self.reason == "no_connection":
            return End.STOP if NEVER.search(self.words) else End.AWAY
        return End.AGAIN

    @property
    def may_be_billed(self) -> bool:
        """The server may have written an answer that did not arrive."""
        return self.reason in ("timeout", "connection_lost", "malformed") or self.status in BILLED_STATUSES

    @property
    def is_refusal(self) -> bool:
        return self.end is End.REFUSED

    def stop(self, key: str, url: str, model: str) -> str:
        """Why nobody's request will do, and what to check, by the names of the variables; "" where another one may."""
        if self.end is not End.STOP:
            return ""
        why = stop_sentence(self.status, self.codes, self.words) if self.status else NO_WAY
        return f"{why.format(status=self.status, key=key, url=url, model=model)} It says: {self.words}"


def failure_of(error: Exception) -> Failure | None:
    """What an exception of the client `openai` means; None for what is no failure of a call (a bug of ours)."""
    import openai

    if type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout"):
        return Failure("no_connection", words=_words(str(error.__cause__)))
    if isinstance(error, (TimeoutError, openai.APITimeoutError)):
        return Failure("timeout")
    if isinstance(error, openai.APIStatusError):
        reply = error.response
        wait = retry_after_seconds(reply.headers, reply.text[:MAX_READ])
        words = _words(reply.text or str(error))
        return Failure(str(error.status_code), error.status_code, words, tuple(_codes(error.body)), wait)
    if isinstance(error, openai.APIConnectionError):
        return Failure("connection_lost", words=_words(str(error.__cause__ or error)))
    if isinstance(error, (openai.APIError, UnreadableReply, json.JSONDecodeError, RecursionError)):
        return Failure("malformed", words=_words(str(error)))
    return None


class UnreadableReply(ValueError):
    """A 200 that holds no answer."""


def _codes(body: Any, depth: int = 0) -> Iterator[str]:
    """What a body calls its error: the values of `code`, `type`, `status` and `reason`, however deep servers put them."""
    if isinstance(body, list) and depth < MAX_DEPTH:
        for part in body[:10]:
            yield from _codes(part, depth + 1)
    elif isinstance(body, dict) and depth < MAX_DEPTH:
        yield from (str(body[name]) for name in CODE_NAMES if isinstance(body.get(name), (str, int)))
        for part in list(body.values())[:20]:
            yield from _codes(part, depth + 1)


def _words(text: str) -> str:
    return printable(scrub(text))[:MAX_WORDS]
