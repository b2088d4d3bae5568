"""The server's limits: read from its headers, kept, and rests after a 429."""

import asyncio
import time
from email.utils import formatdate

import pytest

from stages.distillation.limits import Bucket, Limits
from stages.generation.transport import retry_after_seconds


def test_a_bucket_gives_its_minute_and_then_waits() -> None:
    bucket = Bucket()
    assert bucket.take(10**9) == 0, "no limit is known"
    bucket.set(60, remaining=None)
    assert [bucket.take(20) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(2) == pytest.approx(2, abs=0.1)
    assert bucket.take(600) == pytest.approx(60, abs=0.1), "larger than the limit: a full bucket"
    bucket.set(60, remaining=0)
    assert bucket.take(1) == pytest.approx(1, abs=0.1)


def test_headers_are_read_and_nonsense_is_not() -> None:
    limits = Limits()
    limits.read(
        {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "1", "x-ratelimit-limit-tokens": "many"}
    )
    assert limits.requests.per_minute == 600
    assert limits.tokens.per_minute is None
    limits.read({"x-ratelimit-limit-tokens": "nan", "x-ratelimit-limit-requests": "0"})
    assert (limits.requests.per_minute, limits.tokens.per_minute) == (600, None)


def test_calls_are_as_fast_as_the_limit_and_rest_when_told() -> None:
    async def run() -> tuple[float, float]:
        limits = Limits()
        limits.read({"x-ratelimit-limit-requests": "1200", "x-ratelimit-remaining-requests": "0"})
        started = time.monotonic()
        await asyncio.gather(*(limits.wait(100) for _ in range(6)))
        paced = time.monotonic() - started
        free = Limits()
        free.rest(0.2)
        free.rest(0.05)  # a burst of 429s makes one rest, the longest
        started = time.monotonic()
        await free.wait(1)
        return paced, time.monotonic() - started

    paced, rested = asyncio.run(run())
    assert paced >= 5 / 20
    assert rested >= 0.19


def test_retry_after_is_understood() -> None:
    assert retry_after_seconds({"retry-after": "2"}) == 2
    assert retry_after_seconds({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    in_half_a_minute = retry_after_seconds({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert in_half_a_minute is not None
    assert 25 <= in_half_a_minute <= 30
    assert retry_after_seconds({"retry-after": formatdate(time.time() - 30, usegmt=True)}) == 0


@pytest.mark.parametrize("headers", [{}, {"retry-after": "soon"}, {"retry-after": "-1"}])
def test_no_retry_after(headers: dict[str, str]) -> None:
    assert retry_after_seconds(headers) is None
