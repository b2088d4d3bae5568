"""The lines of a text file, compressed or not, in UTF-8, whatever their ends; a line that is too long is never held.

    for number, line in numbered_lines(blocks, max_bytes=16 << 20): ...    # (3, b'{"text": ...}'), (4, 17_000_123)

A byte order mark goes, UTF-16 and UTF-32 (with their mark, or as text of ASCII letters begins in them) become UTF-8, and
lines end with a line feed, a carriage return, or both. White space before a line's content, and blank lines, are not held.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

MARKS = (  # UTF-32's first: UTF-16's mark begins it
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(head: bytes) -> str:
    """UTF-8, -16 or -32: by the mark that a text begins with, else by the zeros beside its first two letters.

    >>> encoding_of('{"a": 1}'.encode("utf-16-le")), encoding_of(b"{}"), encoding_of(codecs.BOM_UTF8 + b"{}")
    ('utf-16-le', 'utf-8', 'utf-8-sig')
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    for mark, name in MARKS:
        if head.startswith(mark) and len(head) > len(mark):
            return name
    if len(head) >= 4 and head[0] and head[2] and not head[1] and not head[3]:
        return "utf-16-le"
    if len(head) >= 4 and head[1] and head[3] and not head[0] and not head[2]:
        return "utf-16-be"
    return "utf-8"


def decoded(content: bytes) -> str:
    """A whole text file's content as a string whose lines end with a line feed.

    Raises:
        UnicodeDecodeError: it is in none of UTF-8, UTF-16 and UTF-32.
    """
    return content.decode(encoding_of(content[:8])).replace("\r\n", "\n").replace("\r", "\n")


def utf8_blocks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks in UTF-8 without a byte order mark; what is no character in UTF-16 or UTF-32 becomes U+FFFD."""
    decoder: codecs.IncrementalDecoder | None = None
    is_first = True
    for block in blocks:
        if is_first and block:
            is_first = False
            encoding = encoding_of(block)
            block = block.removeprefix(codecs.BOM_UTF8)
            if not encoding.startswith("utf-8"):
                decoder = codecs.getincrementaldecoder(encoding)("replace")
        yield decoder.decode(block).encode("utf-8", "replace") if decoder else block
    if decoder:
        yield decoder.decode(b"", True).encode("utf-8", "replace")


def headed(blocks: Iterator[bytes], num_bytes: int) -> tuple[bytes, Iterator[bytes]]:
    """What a content begins with, `num_bytes` or more where there are so many, and the whole of its blocks."""
    head = b""
    for block in blocks:
        head += block
        if len(head) >= num_bytes:
            break
    return head, chain([head], blocks)


def numbered_lines(blocks: Iterable[bytes], max_bytes: int) -> Iterator[tuple[int, bytes | int]]:
    """The lines that are not blank, with their numbers from 1; of one over `max_bytes`, its length alone."""
    number, tail, dropped = 1, b"", 0
    for block in with_line_feeds(blocks):
        if not (tail or dropped) and (not block or block.isspace()):
            number += block.count(b"\n")
            continue
        head, *rest = block.split(b"\n")
        head = head if tail or dropped else head.lstrip()
        if dropped or len(tail) + len(head) > max_bytes:
            dropped += len(tail) + len(head)
            tail = b""
        else:
            tail += head
        if not rest:
            continue
        for line in (dropped or tail, *rest[:-1]):
            if isinstance(line, int) or (line and not line.isspace()):
                yield number, line
            number += 1
        tail, dropped = rest[-1].lstrip(), 0
    if dropped or (tail and not tail.isspace()):
        yield number, dropped or tail


def with_line_feeds(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Carriage returns as line feeds, those of `\\r\\n` once; inside a JSON string neither stands unescaped."""
    ended_with_return = False
    for block in blocks:
        if ended_with_return:
            block = block.removeprefix(b"\n")
        ended_with_return = block.endswith(b"\r") if block else ended_with_return
        yield block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block
