"""What asking an OpenAI-compatible server has in common for the teacher and the engine: why a request has no reply.

    failure.end (stages/generation/ends.py) says what to do, failure.stop(...) what to check

An end may be billed where the whole request was sent and no status came back, or that of a gateway which waited in vain.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.core.foreign_json import parse_json
from stages.core.redaction import printable, scrub
from stages.generation.ends import BILLED_STATUSES, End, end_of, stop_sentence
from stages.generation.refusals import complaints
from stages.generation.rests import retry_after_seconds

MAX_WORDS = 500  # characters of a server's own
MAX_READ = 20_000  # characters of its body that are looked at
MAX_DEPTH = 4
CODE_NAMES = ("code", "type", "status", "reason", "error_type")
# A connection that no second try mends.
NEVER = re.compile(r"certificate.verify.failed|wrong.version.number|record layer failure|not an address", re.IGNORECASE)
NO_WAY = "cannot connect to the server. Check {url}: its address, its protocol (http or https) and its certificate."


@dataclass(frozen=True)
class Failure:
    """Why a request has no reply that can be read."""

    reason: str  # the status; or no_connection, timeout, connection_lost, malformed
    status: int = 0
    words: str = ""  # the server's or the network's own, without keys and control characters
    codes: tuple[str, ...] = ()  # the server's own names of the error
    retry_after: float | None = None  # seconds, where the server says so
    complaints: tuple[
        str, ...
    ] = ()  # its sentences, without what it sends back of the request (stages/generation/refusals.py)

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


def failure_of_status(status: int, headers: Mapping[str, str], content: bytes) -> Failure:
    """What a reply that is no 2xx means; its body may be anything."""
    text = content[:MAX_READ].decode(errors="replace")
    words = told(text) or f"(status {status} without a word)"
    if 300 <= status < 400:
        words = f"status {status}, to {told(headers.get('location', 'nowhere'))}"
    body = _body(content)
    sentences = tuple(complaints(text if body is None else body))
    return Failure(str(status), status, words, tuple(_codes(body)), retry_after_seconds(headers, text), sentences)


def _body(content: bytes) -> Any:
    try:
        return parse_json(content)[0]
    except ValueError:
        return None


def _codes(body: Any, depth: int = 0) -> Iterator[str]:
    """What a body calls its error: the values of `code`, `type`, `status` and `reason`, however deep servers put them."""
    if isinstance(body, list) and depth < MAX_DEPTH:
        for part in body[:10]:
            yield from _codes(part, depth + 1)
    elif isinstance(body, dict) and depth < MAX_DEPTH:
        yield from (told(str(body[name])) for name in CODE_NAMES if isinstance(body.get(name), str))
        for part in list(body.values())[:20]:
            yield from _codes(part, depth + 1)


def failure_of(error: Exception) -> Failure | None:
    """What an exception of the client `openai` means; None for what is no failure of a call (a bug of ours)."""
    import httpx2
    import openai

    if type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout"):
        return Failure("no_connection", words=told(str(error.__cause__)))
    if isinstance(error, (TimeoutError, openai.APITimeoutError)):
        return Failure("timeout")
    if isinstance(error, openai.APIStatusError):
        return failure_of_status(error.status_code, error.response.headers, error.response.content)
    if isinstance(error, (openai.APIConnectionError, httpx2.HTTPError)):  # the latter while a body is streamed
        return Failure("connection_lost", words=told(str(error.__cause__ or error)))
    if isinstance(error, (openai.APIError, UnreadableReply)):
        return Failure("malformed", words=told(str(error)))
    return None


class UnreadableReply(ValueError):
    """A 200 that is not what was asked for."""


def told(text: str) -> str:
    """Somebody's words as they may be shown: without keys and control characters, and not too many."""
    return printable(scrub(text))[:MAX_WORDS]
