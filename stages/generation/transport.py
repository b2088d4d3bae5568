"""What asking an OpenAI-compatible server has in common for the teacher and the engine: which ends heal, and how long to rest.

| end | then |
|---|---|
| connection refused or lost, timeout, 408, 409, 429, 5xx | asked again, after a rest |
| 400, 413, 422 | the request's own fault: not asked again |
| 401, 402, 403, 404 | nobody's request will do: all stops |
| 3xx | likewise: a redirect would carry the key and the texts to another address |

An end may be billed where the whole request was sent and no status came back, or that of a gateway which waited in vain.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from stages.core.foreign_json import parse_json
from stages.core.redaction import printable, scrub

REJECTED_STATUSES = {400, 413, 422}
GATEWAY_TIMEOUTS = {504, 524}  # the server behind the gateway may have written, and billed, an answer
STOP_STATUSES = {
    401: "the server does not accept the key (401). Check {key} and {url}.",
    402: "the server asks for money (402). Check the account of {key}.",
    403: "the server forbids this key to use this model (403). Check the key's project and the model's region.",
    404: "the server does not know the model or the address (404). Check {model} and {url}.",
}
REDIRECT = "the server sends its callers to another address, which is not followed. If it is yours, set {url} to it."
MAX_BACKOFF, MAX_REST = 60.0, 120.0  # seconds: of our own choice, and of what a server may ask for
MAX_WORDS = 500  # characters of a server's own


@dataclass(frozen=True)
class Failure:
    """Why a request has no reply that can be read."""

    reason: str  # the status; or no_connection, timeout, connection_lost, malformed
    status: int = 0
    words: str = ""  # the server's or the network's own, without keys and control characters
    code: str = ""  # the server's own name of the error
    retry_after: float | None = None  # seconds, where the server says so

    @property
    def may_be_billed(self) -> bool:
        """The server may have written an answer that did not arrive."""
        return self.reason in ("timeout", "connection_lost", "malformed") or self.status in GATEWAY_TIMEOUTS

    @property
    def is_refusal(self) -> bool:
        return self.status in REJECTED_STATUSES

    def stop(self, key: str, url: str, model: str) -> str:
        """Why nobody's request will do, and what to check, by the names of the variables; "" where another one may."""
        why = REDIRECT if 300 <= self.status < 400 else STOP_STATUSES.get(self.status, "")
        why = why.format(key=key, url=url, model=model)
        return f"{why} It says: {self.words}" if why else ""


def failure_of_status(status: int, headers: Mapping[str, str], content: bytes) -> Failure:
    """What a reply that is no 2xx means; its body may be anything."""
    code = _code(content)
    words = told(content.decode(errors="replace")) or f"(status {status} without a word)"
    if 300 <= status < 400:
        words = f"status {status}, to {told(headers.get('location', 'nowhere'))}"
    return Failure(str(status), status, words, code, retry_after_seconds(headers))


def _code(content: bytes) -> str:
    """The server's own name of an error, where its body is the usual object (Google's is in a list)."""
    try:
        body: Any = parse_json(content)[0]
    except ValueError:
        return ""
    body = body[0] if isinstance(body, list) and body else body
    error = body.get("error", body) if isinstance(body, dict) else None
    return told(str(error.get("code") or error.get("type") or "")) if isinstance(error, dict) else ""


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


def backoff_seconds(num_failures: int, first: float, retry_after: float | None = None) -> float:
    """What the server asks for, or a random time of which the longest doubles with each failure (full jitter)."""
    if retry_after is not None:
        return min(retry_after, MAX_REST)
    return random.uniform(0, min(MAX_BACKOFF, first * 2 ** (num_failures - 1)))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` (seconds or a date) or `retry-after-ms`; None where the server says nothing."""
    if (milliseconds := header_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := header_number(value)) is not None:
        return seconds if value is not None else None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def header_number(text: str | None) -> float | None:
    """A number that is none below 0, or None."""
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e15 else None
