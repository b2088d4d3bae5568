"""How fast a server may be asked: its own limits, read from the headers of its responses, and rests after a 429.

    limits = Limits()
    await limits.wait(num_tokens=900)          # before a call
    limits.read(response.headers)              # after each response
    limits.rest(2.0)                           # after a 429 with `Retry-After: 2`

Headers: `x-ratelimit-limit-requests`, `x-ratelimit-limit-tokens` (per minute) and `x-ratelimit-remaining-...`, as
OpenAI and compatible servers send them. Without headers only the rests slow the calls down.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from stages.core.command import say
from stages.generation.rests import MAX_REST, header_number

MINUTE = 60.0
TOLD_SECONDS = 5.0  # waits from here on are told
MIN_LIMIT = 1.0  # a minute; a smaller one is no limit that a server means
LOOK_SECONDS = 0.5  # how soon a wait notices that the purchase stops


class Bucket:
    """Tokens of a per-minute limit that fill up evenly; no limit until one is known."""

    def __init__(self) -> None:
        self.per_minute: float | None = None
        self.level, self.filled_at = 0.0, time.monotonic()

    def set(self, per_minute: float, remaining: float | None) -> None:
        """Take a limit from a response; the server's own count of what remains stands where it is lower than ours."""
        if self.per_minute != per_minute:
            self.per_minute, self.level = per_minute, per_minute
            self.filled_at = time.monotonic()
        if remaining is not None:
            self.level = min(self.level, remaining)

    def take(self, count: float) -> float:
        """Take `count` and return 0, or take nothing and return the seconds until there is enough."""
        if not self.per_minute:
            return 0.0
        now, rate = time.monotonic(), self.per_minute / MINUTE
        self.level = min(self.per_minute, self.level + (now - self.filled_at) * rate)
        self.filled_at = now
        count = min(count, self.per_minute)  # a request larger than a minute's limit waits for a full bucket
        if self.level >= count:
            self.level -= count
            return 0.0
        return (count - self.level) / rate


class Limits:
    """The request and token limits of one server, shared by all calls to it."""

    def __init__(self) -> None:
        self.requests, self.tokens = Bucket(), Bucket()
        self.resting_until = 0.0
        self._told: set[tuple[str, float]] = set()  # limits that calls have been seen to wait for

    async def wait(self, num_tokens: int, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Return when one more call of `num_tokens` tokens may leave, or when nothing shall leave any more."""
        while (seconds := self._seconds(num_tokens)) > 0 and not is_stopped():
            await asyncio.sleep(min(seconds, LOOK_SECONDS))

    def _seconds(self, num_tokens: int) -> float:
        rest = self.resting_until - time.monotonic()
        if rest > 0:
            return rest
        if (seconds := self.requests.take(1)) > 0:
            self._tell("requests", self.requests, seconds)
            return seconds
        if (seconds := self.tokens.take(num_tokens)) > 0:
            self.requests.level += 1
            self._tell("tokens", self.tokens, seconds)
            return seconds
        return 0.0

    def _tell(self, name: str, bucket: Bucket, seconds: float) -> None:
        """Say once of each limit that calls wait for it."""
        limit = (name, bucket.per_minute or 0.0)
        if seconds >= TOLD_SECONDS and limit not in self._told:
            self._told.add(limit)
            say(
                f"distill: the server allows {limit[1]:,g} {name} a minute (x-ratelimit-limit-{name}); the next call waits {seconds:.0f} s"
            )

    def read(self, headers: Mapping[str, str]) -> None:
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            limit = header_number(headers.get(f"x-ratelimit-limit-{name}"))
            if limit is not None and limit >= MIN_LIMIT:
                bucket.set(limit, header_number(headers.get(f"x-ratelimit-remaining-{name}")))

    def rest(self, seconds: float, reason: str = "") -> None:
        """Let no call leave for some seconds; a burst of 429s makes one rest, not one each. A long one is told."""
        capped = min(seconds, MAX_REST)
        now = time.monotonic()
        if capped >= TOLD_SECONDS and now >= self.resting_until:
            asked = (
                f"the server asks for a rest of {seconds:.0f} s" if seconds > capped else "the server asks for a rest"
            )
            say(f"distill: {asked} ({reason}); all calls wait {capped:.0f} s, then ask again")
        self.resting_until = max(self.resting_until, now + capped)
