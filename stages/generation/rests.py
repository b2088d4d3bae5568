"""How long to rest before a request is sent again: what a server asks for, or a random time that grows.

    retry_after_seconds({"retry-after": "6m0s"}, "") == 360.0
    retry_after_seconds({}, "Please try again in 1.5s.") == 1.5

What a server asks for is read, never obeyed without bound: `backoff_seconds` and `Limits.rest` cap it at `MAX_REST`.
"""

import math
import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MAX_BACKOFF, MAX_REST = 60.0, 120.0  # seconds: of our own choice, and of what a server may ask for
MAX_DOUBLINGS = 20
UNITS = {
    seconds: rf"{names}"
    for seconds, names in (
        (1e-3, "ms|msecs?|milliseconds?|millis"),
        (1.0, "s|secs?|seconds?"),
        (60.0, "m|mins?|minutes?"),
        (3600.0, "h|hrs?|hours?"),
        (86400.0, "d|days?"),
    )
}
SPAN = rf"(?:(?:\d+(?:\.\d+)?|an?|one)\s*(?:{'|'.join(UNITS.values())})(?![a-z])(?:\s*,)?(?:\s+and)?\s*)+"
PART = re.compile(
    rf"(\d+(?:\.\d+)?|an?|one)\s*({'|'.join(UNITS.values())})(?![a-z])(?:\s*,)?(?:\s+and\b)?", re.IGNORECASE
)
TOLD = re.compile(
    rf"(?:again|retry|retries|retrydelay|wait|reset|resets)\W{{0,5}}(?:in|after|for|at least|about)?\W{{0,5}}({SPAN})",
    re.IGNORECASE,
)
# A member of an error's JSON: `"retry_after": 20`, in seconds.
MEMBER = re.compile(
    r"retry_?after(?:_?sec(?:ond)?s)?\\?[\"']?\s*[:=]\s*\\?[\"']?(\d+(?:\.\d+)?)\\?[\"']?(?=\s*[,}]|\s*$)",
    re.IGNORECASE,
)
FIRST_INSTANT, FIRST_MILLISECOND = 1e9, 1e12  # numbers from here on are seconds or milliseconds since 1970
RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-reset", "ratelimit-reset")


def backoff_seconds(num_failures: int, first: float, retry_after: float | None = None) -> float:
    """What the server asks for, or a random time of which the longest doubles with each failure (full jitter)."""
    if retry_after is not None:
        return min(retry_after, MAX_REST)
    return random.uniform(0, min(MAX_BACKOFF, first * 2.0 ** min(num_failures - 1, MAX_DOUBLINGS)))


def retry_after_seconds(headers: Mapping[str, str], words: str = "") -> float | None:
    """Seconds that a server asks to wait: `retry-after-ms`, `Retry-After` (seconds, a date, `6m0s`), what its words say, or
    when a limit of which nothing remains is filled again; None where it says nothing that can be read."""
    if (milliseconds := header_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (seconds := _seconds(headers.get("retry-after"))) is not None:
        return seconds
    if told := TOLD.search(words):
        return _span(told[1])
    if member := MEMBER.search(words):
        return header_number(member[1])
    resets = [_seconds(headers.get(name)) for name in RESETS if _is_used_up(headers, name)]
    return max((seconds for seconds in resets if seconds is not None), default=None)


def _is_used_up(headers: Mapping[str, str], reset: str) -> bool:
    return header_number(headers.get(reset.replace("reset", "remaining"))) == 0


def _seconds(text: str | None) -> float | None:
    """Seconds from now of a number, a span or an instant."""
    if text is None:
        return None
    if (number := header_number(text)) is not None:
        if number < FIRST_INSTANT:
            return number
        instant = number / 1000 if number >= FIRST_MILLISECOND else number
        return max(0.0, instant - time.time())
    if (span := _span(text)) is not None:
        return span
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _span(text: str) -> float | None:
    """`1h6m0.5s`, `250ms`, `34 s`, `1 minute and 5 seconds` in seconds."""
    parts = PART.findall(text)
    if not parts or PART.sub("", text).strip():
        return None
    seconds = sum(_number(number) * _unit(unit) for number, unit in parts)
    return seconds if math.isfinite(seconds) else None


def _number(text: str) -> float:
    """A number, or `a`, `an`, `one`."""
    return float(text) if text[0].isdigit() else 1.0


def _unit(text: str) -> float:
    return next(seconds for seconds, names in UNITS.items() if re.fullmatch(names, text, re.IGNORECASE))


def header_number(text: str | None) -> float | None:
    """A number that is none below 0, or None."""
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e15 else None
