"""What asking an OpenAI-compatible server has in common for the teacher and the engine: which ends heal, and how long to rest.

| end | then |
|---|---|
| connection refused or lost, timeout, 408, 409, 429, 5xx | asked again, after a rest |
| 400, 413, 422 | the request's own fault: not asked again |
| 401, 403, 404 | nobody's request will do: all stops |
"""

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

REJECTED_STATUSES = {400, 413, 422}
STOP_STATUSES = {
    401: "the server does not accept the key (401). Check {key} and {url}.",
    403: "the server forbids this key to use this model (403). Check the key's project and the model's region.",
    404: "the server does not know the model or the address (404). Check {model} and {url}.",
}
MAX_BACKOFF = 60.0


def stop_text(status: int, key: str, url: str, model: str) -> str:
    """Why such a status stops everything, and what to check; "" where it does not."""
    return STOP_STATUSES.get(status, "").format(key=key, url=url, model=model)


def backoff_seconds(num_failures: int, first: float, retry_after: float | None = None) -> float:
    """What the server asks for, or a random time of which the longest doubles with each failure (full jitter)."""
    if retry_after is not None:
        return retry_after
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
