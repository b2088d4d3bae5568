"""Bodies of HTTP replies, unpacked step by step and no further than a limit: a small one may hold gigabytes of zeros.

    body = Body(max_bytes=8 << 20)
    for block in blocks: body.add(block)
    body.content

Whether a body is packed is known by its first bytes, not by what its header claims. Servers are asked for gzip alone.
"""

import zlib
from collections.abc import Generator, Iterator

MAX_REPLY_BYTES = 8 << 20  # of one reply: 128,000 tokens of Chinese, each character escaped, are 1.5 MB
GZIP = b"\x1f\x8b"
STEP = 1 << 16


class BodyTooLarge(ValueError):
    """A body holds more than its limit."""


class Unpacker:
    """Takes gzip off a body, however it is cut into blocks; other bodies stay as they are. What stands behind the end of gzip
    is no part of the body, and is dropped."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.num_bytes = max_bytes, 0  # as they come over the wire
        self._zlib: zlib._Decompress | None = None
        self._head = b""  # of a body or a member, of which one byte is there
        self._is_plain = self._is_packed = self._is_over = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        """What the block holds, at most `STEP` bytes at a time.

        Raises:
            zlib.error: it is broken.
            BodyTooLarge: more has come than the largest body takes, whatever it unpacks to.
        """
        for start in range(0, len(block), STEP):  # at the end of a member the rest of its block is copied
            step = block[start : start + STEP]
            yield from self._fed(step)
            self.num_bytes += len(step)
            if self.num_bytes > self.max_bytes + self.max_bytes // 8:  # gzip of noise is a little longer than it
                raise BodyTooLarge(f"the reply takes more than {self.max_bytes:,} bytes")

    def _fed(self, block: bytes) -> Iterator[bytes]:
        while block and not self._is_over:
            if self._zlib is None and not self._is_plain:
                block = self._begun(self._head + block)
            if self._is_plain:
                yield block
                return
            if self._zlib is not None:
                block = yield from self._inflated(block)

    def _begun(self, head: bytes) -> bytes:
        """Learn from the first two bytes what follows: what is to be read; nothing as long as there is but one."""
        self._head = head if len(head) < len(GZIP) else b""
        if self._head:
            return b""
        if head.startswith(GZIP):
            self._zlib, self._is_packed = zlib.decompressobj(zlib.MAX_WBITS | 16), True
        elif self._is_packed:
            self._is_over = True
        else:
            self._is_plain = True
        return head

    def _inflated(self, block: bytes) -> Generator[bytes, None, bytes]:
        """What is left of the block behind the end of a member."""
        assert self._zlib is not None
        part = b""
        while block or len(part) == STEP:
            part = self._zlib.decompress(block, STEP)
            yield part
            block = self._zlib.unconsumed_tail
            if self._zlib.eof:
                rest, self._zlib = self._zlib.unused_data, None
                return rest
        return b""

    def end(self) -> bytes:
        """What was held back: a body of one byte."""
        return b"" if self._is_packed else self._head


class Body:
    """What has arrived of one body, unpacked."""

    def __init__(self, max_bytes: int = MAX_REPLY_BYTES) -> None:
        self.max_bytes, self._unpacker, self._content = max_bytes, Unpacker(max_bytes), bytearray()

    def add(self, block: bytes) -> None:
        """Take one block as it came.

        Raises:
            BodyTooLarge: the limit is passed, packed or unpacked; what came before it is kept.
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
