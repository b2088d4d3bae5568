"""Bodies of replies: gzip in any blocks, what stands behind its end, and limits of what is unpacked and of what comes."""

import gzip
import random
import time
import zlib

import pytest

from stages.generation.bodies import Body, BodyTooLarge, Unpacker

TEXT = b'{"choices": [{"message": {"content": "' + bytes(random.Random(1).choices(b"abcdef ", k=3000)) + b'"}}]}'
EMPTY = gzip.compress(b"")


def fill(body: Body, content: bytes, size: int) -> None:
    for start in range(0, len(content), size):
        body.add(content[start : start + size])


def unpacked(content: bytes, size: int, max_bytes: int = 1 << 20) -> bytes:
    fill(body := Body(max_bytes), content, size)
    return body.content


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 1 << 20])
@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]),
        EMPTY * 40 + gzip.compress(TEXT),
        gzip.compress(TEXT) + b"\0" * 5000,
        gzip.compress(TEXT) + b"\x1f",
        gzip.compress(TEXT) + b"\x1f\x00" + gzip.compress(b"more"),
        gzip.compress(TEXT) + b"<html>",
    ],
    ids=["plain", "gzip", "two members", "empty members", "zeros behind", "half a mark", "noise behind", "HTML behind"],
)
def test_a_body_is_the_same_in_any_blocks(content: bytes, size: int) -> None:
    assert unpacked(content, size) == TEXT


@pytest.mark.parametrize("content", [b"", b"{", b"\x1f", b"\x1f\x8b", b"{}"])
def test_a_short_body_is_kept_whole(content: bytes) -> None:
    assert unpacked(content, 1) in (content, b"")
    assert (unpacked(content, 1) == content) == (content != b"\x1f\x8b")


@pytest.mark.parametrize(
    "behind",
    [b"\0" * (4 << 20), b"x" * (4 << 20), EMPTY * 100_000, gzip.compress(b"a") * 90_000],
    ids=["zeros", "noise", "empty members", "small members"],
)
@pytest.mark.parametrize("size", [1 << 16, 1 << 26])
def test_a_bomb_turned_round_has_a_limit_and_keeps_the_answer(behind: bytes, size: int) -> None:
    content, body, begun = gzip.compress(TEXT) + behind, Body(1 << 20), time.process_time()
    with pytest.raises(BodyTooLarge):
        fill(body, content, size)
    assert body.content.startswith(TEXT)
    assert time.process_time() - begun < 3.0


def test_the_rest_of_a_body_is_not_held_in_memory() -> None:
    unpacker = Unpacker(1 << 30)
    parts = list(unpacker.feed(gzip.compress(TEXT)))
    for _ in range(50):
        parts += unpacker.feed(b"\0" * (1 << 16))
    assert b"".join(parts) == TEXT
    assert unpacker._zlib is None


def test_noise_in_gzip_may_be_as_long_as_a_body() -> None:
    noise = random.Random(2).randbytes(1 << 20)
    assert unpacked(gzip.compress(noise), 1 << 16) == noise
    with pytest.raises(BodyTooLarge):
        unpacked(gzip.compress(noise + b"x"), 1 << 16)
    with pytest.raises(zlib.error):
        unpacked(gzip.compress(TEXT)[:50] + b"\xff" * 50, 1 << 16)
