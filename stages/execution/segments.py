"""Segments: files of records in one folder, each appended to by one process alone, without a lock, on any file system.

    1f0c...9a 77ab01c2d3e4f506 ["ok", "42\\n"]      # a line a record: key (32 hex digits), checksum, content

A line that is torn, or whose checksum is wrong, is no record. Beside a segment of size lies its index, the records' hashes and
offsets; it is written anew where it is missing or does not fit. Small segments whose process has ended are merged: the merged file
is there before the others go, so a reader that misses a file finds its records again.
"""

import functools
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xxhash

from stages.core.files import remove, write_bytes

KEY_CHARS, HASH_CHARS = 32, 16
HEAD_CHARS = KEY_CHARS + HASH_CHARS + 2
BLOCK_BYTES = 16 << 20
INDEX_BYTES = 4 << 20  # a segment that is smaller is read at each start
MERGED_BYTES = 32 << 20  # a segment that is larger is not merged
MAX_SMALL = 16  # segments that are not merged yet
IDLE_SECONDS = 86400  # after which the segment of a process that cannot be seen from here counts as ended
RECORD = np.dtype([("hash", "<u8"), ("offset", "<u8")])
MAGIC = b"segment1"


def line_of(key: str, content: bytes) -> bytes:
    """The line of a record, whose content holds no line break."""
    return b"%s %s %s\n" % (key.encode(), _checksum(key.encode(), content), content)


def content_of(line: bytes, key: str = "") -> bytes | None:
    """The content of a line without its break; None for one that is no record, or of another key."""
    name, check, content = line[:KEY_CHARS], line[KEY_CHARS + 1 : HEAD_CHARS - 1], line[HEAD_CHARS:]
    is_whole = len(line) >= HEAD_CHARS and check == _checksum(name, content) and name.startswith(key.encode())
    return content if is_whole else None


def hash_of(key: str) -> int:
    return int(key[:HASH_CHARS], 16)


def _checksum(key: bytes, content: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(key + content).encode()


@functools.cache
def this_host() -> str:
    """This machine since its start, and this namespace of processes: where a process's number means that process."""
    try:
        told = f"{Path('/proc/sys/kernel/random/boot_id').read_text()}{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        told = os.uname().nodename
    return xxhash.xxh3_64_hexdigest(told.encode())


def new_name() -> str:
    return f"{this_host()}-{os.getpid()}-{secrets.token_hex(4)}.lines"


def segments_in(folder: Path) -> list[tuple[str, int]]:
    """Name and size of each segment, by name."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.name.endswith(".lines") and entry.is_file():
                    found.append((entry.name, entry.stat().st_size))
            except OSError:  # merged meanwhile
                continue
    return sorted(found)


def read_records(path: Path, start: int) -> tuple[np.ndarray, int]:
    """The records that begin at `start` or later, and where the last whole line ends; none of a file that cannot be read.

    Returns:
        An array of RECORD, in the file's order. Checksums are not looked at: `content_of` does, record by record.
    """
    records, end = _read_index(path) if start == 0 else (np.empty(0, RECORD), start)
    known = end
    found = [records]
    try:
        with path.open("rb") as stream:
            for block, offset in _blocks(stream, end):
                found.append(_records_of(block, offset))
                end = offset + len(block)
    except OSError:
        return np.empty(0, RECORD), start
    records = np.concatenate(found)
    if start == 0 and end - known > INDEX_BYTES:
        _write_index(path, records, end)
    return records, end


def _blocks(stream, offset: int) -> Iterator[tuple[bytes, int]]:  # type: ignore[no-untyped-def]
    """Blocks of whole lines, each with its offset."""
    stream.seek(offset)
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        lines, line_break, rest = (rest + block).rpartition(b"\n")
        if line_break:
            yield lines + line_break, offset
            offset += len(lines) + 1


def _records_of(block: bytes, offset: int) -> np.ndarray:
    """The lines of a block that may be records."""
    content = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(content == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    starts = starts[ends - starts >= HEAD_CHARS]
    digits = content[starts[:, None] + np.arange(HASH_CHARS)]
    values = np.where(digits >= 97, digits - 87, digits - 48).astype(np.uint64)
    is_hex = (((digits >= 48) & (digits <= 57)) | ((digits >= 97) & (digits <= 102))).all(axis=1)
    shifts = np.uint64(4) * np.arange(HASH_CHARS - 1, -1, -1).astype(np.uint64)
    records = np.empty(len(starts), RECORD)
    records["hash"] = np.bitwise_or.reduce(values << shifts, axis=1)
    records["offset"] = starts + offset
    return records[is_hex]


def _index_path(path: Path) -> Path:
    return path.with_suffix(".index")


def _write_index(path: Path, records: np.ndarray, end: int) -> None:
    content = end.to_bytes(8, "little") + records.tobytes()
    write_bytes(MAGIC + xxhash.xxh3_64_digest(content) + content, _index_path(path))


def _read_index(path: Path) -> tuple[np.ndarray, int]:
    """The records that a segment's index holds, and up to where; none where there is no index, or a spoilt one."""
    try:
        content = _index_path(path).read_bytes()
    except OSError:
        return np.empty(0, RECORD), 0
    head, body = content[:16], content[16:]
    if head != MAGIC + xxhash.xxh3_64_digest(body) or (len(body) - 8) % RECORD.itemsize:
        return np.empty(0, RECORD), 0
    return np.frombuffer(body[8:], RECORD), int.from_bytes(body[:8], "little")


def merge_small(folder: Path) -> None:
    """Merge small segments whose process has ended, where there are more than MAX_SMALL: about 64 MB at once."""
    small = [name for name, size in segments_in(folder) if size < MERGED_BYTES and _is_over(folder / name)]
    if len(small) <= MAX_SMALL:
        return
    lines: dict[bytes, bytes] = {}
    taken, num_bytes = [], 0
    for name in small:
        if num_bytes < 2 * MERGED_BYTES:
            content = _content_of_file(folder / name)
            lines |= {line[:KEY_CHARS]: line for line in content.split(b"\n") if content_of(line) is not None}
            taken.append(name)
            num_bytes += len(content)
    write_bytes(b"".join(line + b"\n" for line in lines.values()), folder / f"merged-0-{secrets.token_hex(4)}.lines")
    for name in taken:
        remove(folder / name)
        remove(_index_path(folder / name))
    for path in folder.glob(".*.tmp"):  # of a process that was killed
        if _age_seconds(path) > IDLE_SECONDS:
            remove(path)


def _content_of_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_over(path: Path) -> bool:
    """Whether no process appends to the segment any more; one that still does begins another (`SegmentWriter`)."""
    host, pid, _ = (*path.name.split("-"), "", "")[:3]
    if host in ("merged", this_host()):
        return not Path("/proc", pid or "none").exists()
    return _age_seconds(path) > IDLE_SECONDS


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
