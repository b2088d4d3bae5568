"""A segment while it is written: a file of one process, whose rows survive a kill at once, a power cut soon, and a full disk.

with Segment.create(Path(".ledger"), room_bytes=3_000_000) as segment:
    segment.append({"kind": "sent", "key": key, "usd": worst_usd, "at": now()})
    if segment.trouble: ...    # why nothing more should be bought; what is under way still finds its room
"""

import errno
import os
import secrets
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from stages.core.command import StageError, os_error_text, say
from stages.core.files import whole
from stages.distillation.ledger_rows import Row, line_of

SYNC_SECONDS = 0.05
BLOCK = 1 << 20


class Segment:
    """A new file of the ledger for this process; use as a context manager.

    `room_bytes` of the disk are taken at once and given back where a row needs them: a full disk stops the purchase and
    loses no answer that is under way.
    """

    def __init__(self, path: Path, room_bytes: int = 0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.room = Room(path.parent, room_bytes)
        self.file, self.size = _new_file(path), 0
        self.trouble = ""  # why nothing more should be bought
        self.has_new, self.is_closed = threading.Event(), False
        self.syncer = threading.Thread(target=self._sync_often, daemon=True)
        self.syncer.start()

    @classmethod
    def create(cls, folder: Path, room_bytes: int = 0) -> "Segment":
        return cls(folder / _new_name(), room_bytes)

    def append(self, row: Row) -> None:
        """Write one row; it survives the process from here on.

        Raises:
            StageError: the row could be written nowhere.
        """
        line = line_of(row) + b"\n"
        try:
            self._write(line)
        except OSError as error:
            self._write_in_trouble(line, error)
        self.has_new.set()

    def _write(self, line: bytes) -> None:
        """Write a line whole or not at all."""
        rest = line
        try:
            while rest:
                written = os.write(self.file, rest)
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                rest = rest[written:]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.file, self.size)
            raise
        self.size += len(line)

    def _write_in_trouble(self, line: bytes, error: OSError) -> None:
        """Write into the room that is kept for it; else into a new file, there or in the system's temporary folder."""
        self.trouble = self.trouble or f"{self.path.parent}: {os_error_text(error)}"
        self.room.release()
        with suppress(OSError):
            return self._write(line)
        for folder in (self.path.parent, Path(tempfile.gettempdir())):
            with suppress(OSError):
                path = folder / _new_name()
                self.file, self.size, self.path = _new_file(path), 0, path
                self._write(line)
                self.trouble += f"; answers are kept in {path}, which belongs there"
                return None
        raise StageError(
            f"{self.path}: an answer could not be written, all earlier ones are kept. {os_error_text(error)}"
        )

    def _sync_often(self) -> None:
        while not self.is_closed:
            self.has_new.wait()
            self.has_new.clear()
            self._sync()
            time.sleep(SYNC_SECONDS)

    def _sync(self) -> None:
        try:
            os.fsync(self.file)
        except OSError as error:
            self.trouble = self.trouble or f"{self.path} cannot be synced to the disk: {error.strerror}"

    def __enter__(self) -> "Segment":
        return self

    def __exit__(self, *exception: object) -> None:
        self.is_closed = True
        self.has_new.set()
        self.syncer.join()
        self._sync()
        self.room.release()
        if not os.fstat(self.file).st_nlink:
            self._restore()
        os.close(self.file)
        if self.trouble:
            say(f"the ledger cannot be written: {self.trouble}")
        if not self.size:
            self.path.unlink(missing_ok=True)

    def _restore(self) -> None:
        """Write the file again that somebody has deleted meanwhile."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole(self.path) as temporary, temporary.open("wb") as file:
            for start in range(0, self.size, BLOCK):
                file.write(os.pread(self.file, BLOCK, start))
        say(f"{self.path} was deleted during the run; it is restored with all its rows")


class Room:
    """Space of the disk that is taken until it is released: written, as a file system may not keep what it only promises.

    The file has no name, so a killed process leaves nothing.
    """

    def __init__(self, folder: Path, num_bytes: int) -> None:
        block = os.urandom(min(num_bytes, BLOCK))  # which no file system compresses
        self.file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # open until it is released
        try:
            for start in range(0, num_bytes, BLOCK):
                rest = block[: num_bytes - start]
                while rest:
                    rest = rest[self.file.write(rest) :]
            os.fsync(self.file.fileno())
        except OSError as error:
            self.release()
            raise StageError(
                f"{folder}: there is no space for the answers of all concurrent calls ({num_bytes / 1e6:,.1f} MB). "
                f"{os_error_text(error)} Nothing was bought; a lower TEACHER_CONCURRENCY needs less."
            ) from error

    def release(self) -> None:
        with suppress(OSError, ValueError):
            os.ftruncate(self.file.fileno(), 0)
        self.file.close()


def _new_name() -> str:
    return f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S.%fZ')}-{secrets.token_hex(4)}.jsonl"


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
