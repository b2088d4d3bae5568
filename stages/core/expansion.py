"""Compressed files, read as they expand: by their first bytes, not their names, within limits, and to the last whole byte.

    for block in expanded(Path("web.jsonl.gz")): ...     # bytes; the same for a plain file

gzip, bzip2, xz and zstd; several compressed streams in a row are one. Of a file that breaks off, all that comes before the
break is given, and then `BrokenFile` is raised.
"""

import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

BLOCK_BYTES = 1 << 20
PIECE_BYTES = 1 << 14  # of compressed bytes at a time
MAX_EXPANSION = 250  # times a file's size; JSON lines of real texts expand 3 to 10 times, gzip's most is 1,032
ALWAYS_ALLOWED_BYTES = 256 << 20  # whatever the size
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}


class BrokenFile(Exception):
    """A file that cannot be read on; `reason` is broken_file or over_expanded."""

    def __init__(self, detail: str, reason: str = "broken_file") -> None:
        super().__init__(detail)
        self.reason = reason


def expanded(path: Path) -> Iterator[bytes]:
    """The file's content in blocks of BLOCK_BYTES or more; the last may be shorter.

    Raises:
        BrokenFile: after all that can be read, where the file breaks off, is damaged, is followed by other bytes, or
            expands to over MAX_EXPANSION times its size.
    """
    waiting: list[bytes] = []
    num_waiting = 0
    broken: BrokenFile | None = None
    try:
        for block in _within_limit(path):
            waiting.append(block)
            num_waiting += len(block)
            if num_waiting >= BLOCK_BYTES:
                yield b"".join(waiting)
                waiting, num_waiting = [], 0
    except BrokenFile as error:
        broken = error
    except OSError as error:
        broken = BrokenFile(str(error))
    if waiting:
        yield b"".join(waiting)
    if broken:
        raise broken


def _within_limit(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    if not size and path.suffix in SUFFIXES:
        raise BrokenFile("the file is empty (0 bytes): fetch it again")
    limit, num_bytes = max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * size), 0
    for block in _blocks(path):
        num_bytes += len(block)
        if num_bytes > limit:
            detail = f"its {size:,} bytes expand to over {limit:,}. Unpack and check it, or remove it"
            raise BrokenFile(detail, "over_expanded")
        yield block


def codec_of(head: bytes) -> str:
    """gzip, bzip2, xz, zstd, or "" for a file that is not compressed.

    >>> codec_of(b"BZh is no Latin word"), codec_of(b"BZh91AY&SY...")
    ('', 'bzip2')
    """
    if head.startswith(MAGIC["bzip2"]):
        return "bzip2" if head[4:10] == b"1AY&SY" else ""
    return next((codec for codec, magic in MAGIC.items() if head.startswith(magic)), "")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        codec = codec_of(stream.read(16))
        stream.seek(0)
        if codec == "zstd":
            yield from _zstd_pieces(path)
        elif codec:
            yield from _decompressed(stream, codec)
        else:
            yield from _pieces(stream, BLOCK_BYTES)


def _zstd_pieces(path: Path) -> Iterator[bytes]:
    """Arrow's reader gives nothing of a piece that ends in damaged bytes, so the last ones are read in ever smaller pieces."""
    num_given, size = 0, PIECE_BYTES
    while True:
        stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
        try:
            left = num_given
            while left:
                left -= len(stream.read(min(size, left)))
            for piece in _pieces(stream, size):
                num_given += len(piece)
                yield piece
            return
        except (pa.ArrowException, OSError):
            if size == 1:
                raise
            size //= 2


def _pieces(stream: Any, num_bytes: int) -> Iterator[bytes]:
    while piece := stream.read(num_bytes):
        yield piece


def _decompressed(stream: BinaryIO, codec: str) -> Iterator[bytes]:
    """Of gzip, bzip2 or xz: member after member."""
    member = _decompressor(codec)
    for piece in _pieces(stream, PIECE_BYTES):
        while piece:
            yield from _outputs(member, piece)
            if not member.eof:
                break
            piece = member.unused_data.lstrip(b"\0") or stream.read(PIECE_BYTES).lstrip(b"\0")
            if piece and not MAGIC[codec].startswith(piece[:2]):
                raise BrokenFile(f"the compressed data are followed by bytes that are not {codec}")
            member = _decompressor(codec) if piece else member
    if not member.eof:
        raise BrokenFile(f"the {codec} data break off: fetch the file again")


def _decompressor(codec: str) -> Any:
    import bz2
    import lzma

    return {"gzip": _Gzip, "bzip2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor}[codec]()


def _outputs(member: Any, piece: bytes) -> Iterator[bytes]:
    """What a piece expands to, in blocks; up to the very byte at which the data are damaged."""
    import lzma

    try:
        yield member.decompress(piece, BLOCK_BYTES)
        while not member.needs_input and not member.eof:
            yield member.decompress(b"", BLOCK_BYTES)
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        if isinstance(member, _Gzip):
            yield member.last_outputs()
        raise BrokenFile(f"the compressed data are damaged ({error}): fetch the file again") from error


class _Gzip:
    """zlib's decompressor with the interface of bz2's, that gives all it can before damaged bytes."""

    def __init__(self) -> None:
        self.inner = zlib.decompressobj(31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self.inner.eof

    @property
    def unused_data(self) -> bytes:
        return self.inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self.given = self.inner.unconsumed_tail + data
        self.before = self.inner.copy()
        found = self.inner.decompress(self.given, max_length)
        self.needs_input = not self.inner.unconsumed_tail and len(found) < max_length
        return found

    def last_outputs(self) -> bytes:
        """What the call that failed would have given, byte by byte up to the damage."""
        found = []
        try:
            for start, end in pairwise(range(len(self.given) + 1)):
                found.append(self.before.decompress(self.given[start:end]))
        except zlib.error:
            pass
        return b"".join(found)
