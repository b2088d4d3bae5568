"""Bodies of HTTP replies, unpacked step by step and no further than a limit: a small one may hold gigabytes of zeros.

    body = Body(max_bytes=8 << 20)
    for block in blocks: body.add(block)
    body.content

Whether a body is packed is known by its first bytes, not by what its header claims. Servers are asked for gzip alone.
"""

import zlib
from collections.abc import Iterator

MAX_REPLY_BYTES = 8 << 20  # of one reply: 128,000 tokens of Chinese, each character escaped, are 1.5 MB
GZIP = b"\x1f\x8b"
STEP = 1 << 16


class BodyTooLarge(ValueError):
    """A body holds more than its limit."""


class Unpacker:
    """Takes gzip off a body, however it is cut into blocks; other bodies stay as they are."""

    def __init__(self) -> None:
        self._zlib: zlib._Decompress | None = None
        self._head, self._is_plain = b"", False

    def feed(self, block: bytes) -> Iterator[bytes]:
        """What the block holds, at most `STEP` bytes at a time.

        Raises:
            zlib.error: it is broken.
        """
        if self._is_plain:
            yield block
        elif self._zlib is not None:
            yield from self._inflated(block)
        else:
            yield from self._begun(self._head + block)

    def _begun(self, head: bytes) -> Iterator[bytes]:
        """The first bytes, as soon as there are two: they tell what the body is."""
        if len(head) < len(GZIP):
            self._head = head
            return
        self._head, self._is_plain = b"", not head.startswith(GZIP)
        if self._is_plain:
            yield head
            return
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)
        yield from self._inflated(head)

    def _inflated(self, block: bytes) -> Iterator[bytes]:
        assert self._zlib is not None
        part = b""
        while block or len(part) == STEP:
            part = self._zlib.decompress(block, STEP)
            yield part
            block = self._zlib.unconsumed_tail
            if self._zlib.eof:
                block = self._zlib.unused_data  # a next member, or padding
                if not block.startswith(GZIP):
                    return
                self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def end(self) -> bytes:
        """What was held back: a body of one byte."""
        return self._head


class Body:
    """What has arrived of one body, unpacked."""

    def __init__(self, max_bytes: int = MAX_REPLY_BYTES) -> None:
        self.max_bytes, self._unpacker, self._content = max_bytes, Unpacker(), bytearray()

    def add(self, block: bytes) -> None:
        """Take one block as it came.

        Raises:
            BodyTooLarge: the limit is passed; what came before it is kept.
            zlib.error: the body is packed and broken; the block is kept as it came.
        """
        try:
            for part in self._unpacker.feed(block):
                self._keep(part)
        except zlib.error:
            self._keep(block)
            raise

    def _keep(self, part: bytes) -> None:
        room = self.max_bytes - len(self._content)
        self._content += part[:room]
        if len(part) > room:
            raise BodyTooLarge(f"the reply holds more than {self.max_bytes:,} bytes")

    @property
    def content(self) -> bytes:
        return bytes(self._content) + self._unpacker.end()
