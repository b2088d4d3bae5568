"""The server's limits: read from its headers, kept, and rests after a 429."""

import asyncio
import time
from email.utils import formatdate

import pytest

from stages.distillation.concurrency import Window
from stages.distillation.limits import Bucket, Limits
from stages.generation.rests import MAX_BACKOFF, MAX_REST, backoff_seconds, retry_after_seconds


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


@pytest.mark.parametrize("limit", ["1e-323", "5e-324", "0.0", "1e-9", "0.5", "-0", "1e-300"])
@pytest.mark.parametrize("name", ["requests", "tokens"])
def test_a_limit_below_one_a_minute_is_none(name: str, limit: str) -> None:
    limits = Limits()
    limits.read({f"x-ratelimit-limit-{name}": limit, f"x-ratelimit-remaining-{name}": "0"})
    asyncio.run(asyncio.wait_for(limits.wait(10**9), 0.1))


@pytest.mark.parametrize("name", ["requests", "tokens"])
def test_a_wait_for_a_limit_is_told_once(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    limits = Limits()
    limits.read({f"x-ratelimit-limit-{name}": "2", f"x-ratelimit-remaining-{name}": "0"})
    looks = iter([False, False, False, True])
    asyncio.run(limits.wait(900, lambda: next(looks, True)))
    told = capsys.readouterr().err
    assert told.count("x-ratelimit-limit") == 1
    assert f"2 {name} a minute" in told


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


@pytest.mark.parametrize(
    ("headers", "words", "seconds"),
    [
        ({"retry-after": "6m0s"}, "", 360),
        ({"retry-after": "1h1m1.5s"}, "", 3661.5),
        ({"retry-after": "250ms"}, "", 0.25),
        ({"retry-after": "99999999"}, "", 99999999),
        ({"x-ratelimit-reset-requests": "20s", "x-ratelimit-remaining-requests": "0"}, "", 20),
        ({"x-ratelimit-reset-tokens": "90", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-requests": "1s",
          "x-ratelimit-remaining-requests": "0"}, "", 90),
        ({"x-ratelimit-reset-requests": "20s", "x-ratelimit-remaining-requests": "4"}, "", None),
        ({}, "Rate limit reached. Please try again in 1.5s. Visit ...", 1.5),
        ({}, "Please retry in 34.074824224s.", 34.074824224),
        ({}, '"retryDelay": "34s"', 34),
        ({}, "Please try again in 7m12s", 432),
        ({}, "Please try again in 6 months", None),
        ({}, "Please try again later", None),
        ({}, "Requests to the API have exceeded the call rate limit. Please retry after 20 seconds. Please go here", 20),
        ({}, "Try again in 3 minutes", 180), ({}, "Please wait 30 seconds before the next call.", 30), ({}, "wait for 1 minute and 5 seconds", 65),
        ({}, "Retry after: 250 milliseconds", 0.25), ({}, "try again in 2 hours, 1 min", 7260), ({}, "Please retry in 1 day", 86400),
        ({}, "limit resets in 45 secs", 45), ({}, "try again in a minute", 60), ({}, "TRY AGAIN IN 9 SECONDS", 9), ({}, "Please try again after 1m", 60),
        ({}, '{"error": {"retry_after": 12.5}}', 12.5), ({}, '{"retry_after_seconds": "7"}', 7), ({}, '{"retryAfter": 3, "a": 1}', 3),
        ({}, "wait 5 minor versions", None), ({}, "try again in 3 dozen days", None), ({}, "Wait 40 mice", None), ({}, "retry after 2 stops", None),
        ({"retry-after": "5 seconds"}, "", 5), ({"retry-after": "2 Minutes"}, "", 120), ({"retry-after": "1 hour, 2 minutes"}, "", 3720),
        ({"retry-after": "a while"}, "", None), ({"retry-after": "5 seconds or so"}, "", None),
    ],
)  # fmt: skip
def test_other_ways_to_say_it(headers: dict[str, str], words: str, seconds: float | None) -> None:
    assert retry_after_seconds(headers, words) == seconds


def test_an_instant_is_a_time_from_now() -> None:
    for text in (f"{time.time() + 60:.0f}", f"{(time.time() + 60) * 1000:.0f}"):
        assert retry_after_seconds({"retry-after": text}) == pytest.approx(60, abs=2)


@pytest.mark.parametrize("text", ["soon", "-1", "", "nan", "inf", "1e400", "9" * 400, "-5s", "s", "1 2", "Mon, 99 Foo 2026 99:99:99 GMT",
                                  "0x10", "1,5"])  # fmt: skip
def test_no_retry_after(text: str) -> None:
    assert retry_after_seconds({"retry-after": text}) is None
    assert retry_after_seconds({}) is None


def test_no_rest_is_longer_than_the_cap_and_a_long_one_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    limits = Limits()
    for _ in range(64):
        limits.rest(1e12, "429 slow down")
    assert limits.resting_until - time.monotonic() <= MAX_REST
    assert backoff_seconds(1, 0.5, 1e12) == MAX_REST
    assert backoff_seconds(5000, 0.5) <= MAX_BACKOFF
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "120 s" in told
    assert "429 slow down" in told


def test_a_window_opens_after_its_first_call_and_is_cut_once_a_burst() -> None:
    async def run() -> None:
        window = Window(8, slow_seconds=60.0)
        first = await window.enter()
        waiting = [asyncio.create_task(window.enter()) for _ in range(20)]
        await asyncio.sleep(0)
        assert window.num_under_way == 1
        window.answered(first)
        window.leave()
        left_at = await asyncio.gather(*waiting[:8])
        assert window.num_under_way == 8
        for moment in left_at:
            window.overloaded(moment)
            window.leave()
        assert window.size == 6
        await asyncio.gather(*waiting[8:14])
        assert window.num_under_way == 6
        for _ in range(200):
            window.answered(time.monotonic())
        assert window.size == 8
        window.closed()
        assert int(window.size) == 1
        window.answered(time.monotonic())
        assert window.size == 2
        for task in waiting[14:]:
            task.cancel()

    asyncio.run(run())


def test_slow_answers_are_a_sign_of_overload() -> None:
    async def run() -> float:
        window = Window(16, slow_seconds=0.01)
        left_at = await window.enter()
        await asyncio.sleep(0.02)
        window.answered(left_at)
        return window.size

    assert asyncio.run(run()) == 12
