"""The ledger: every paid answer and every cent, in append-only segments that outlive any run.

    ledger = Ledger([Path(".ledger"), Path("data/ledger")])
    answers = ledger.answers({row["request_id"] for row in requests})
    with Segment.create(Path(".ledger")) as segment:
        segment.append({"kind": "sent", "key": key, "usd": worst_usd, "at": now()})

A segment is one JSONL file of one process, so there is nothing to lock and two people's ledgers merge by copying
files together. Each row is written to the file at once (a killed process loses nothing) and synced to the disk within
`SYNC_SECONDS` (a power cut loses that much). A torn line is skipped and counted. Of two answers to one key the one in
the earlier-named segment stands, so everybody with the same segments gets the same completions.

Rows, by `kind`: `sent` before a call leaves, with its worst-case price; `answer`; `failure` (an attempt that gave no
answer, with what it may have cost); `batch` (a batch job is known to the server) and `batch_end`.
"""

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.core.command import StageError

Row = dict[str, Any]
SYNC_SECONDS = 0.05
PUBLISHED = Path("data/ledger")


class Ledger:
    """The segments of some folders, read as one; a segment that lies in two folders is read once."""

    def __init__(self, folders: Iterable[Path]) -> None:
        paths = {path.name: path for folder in folders if folder.is_dir() for path in folder.glob("*.jsonl")}
        self.segments = [paths[name] for name in sorted(paths)]
        self.num_torn = 0

    def rows(self) -> Iterator[tuple[str, Row]]:
        """(segment's name, row) of every row, segments in the order of their names."""
        self.num_torn = 0
        for path in self.segments:
            with path.open("rb") as stream:
                for line in stream:
                    row = _read_row(line)
                    if row is None:
                        self.num_torn += 1
                    else:
                        yield path.name, row

    def answers(self, keys: set[str], is_usable: Callable[[Row], bool] = lambda _: True) -> dict[str, Row]:
        """The standing answer of each of the keys that has one that is usable."""
        found: dict[str, Row] = {}
        for _, row in self.rows():
            if row["kind"] == "answer" and row["key"] in keys and is_usable(row):
                found.setdefault(row["key"], row)
        return found

    def open_batches(self) -> dict[str, Row]:
        """The batches that were submitted and have not ended, by id."""
        batches: dict[str, Row] = {}
        for _, row in self.rows():
            if row["kind"] == "batch":
                batches[row["batch_id"]] = row
            elif row["kind"] == "batch_end":
                batches.pop(row["batch_id"], None)
        return batches

    def spent_usd(self) -> float:
        """What these segments cost at most: answers, failures that may have been billed, and calls without an end.

        Imported answers were paid by somebody else.
        """
        return sum(usd for row, usd in self.costs() if row.get("via") != "import")

    def costs(self) -> Iterator[tuple[Row, float]]:
        """(row, USD) of everything that cost or may have cost money; a call without an end at its worst case."""
        open_calls: dict[tuple[str, str], list[Row]] = {}
        batches: dict[str, Row] = {}
        for segment, row in self.rows():
            if row["kind"] == "sent":
                open_calls.setdefault((segment, row["key"]), []).append(row)
            elif row["kind"] == "batch":
                batches[row["batch_id"]] = row
            elif row["kind"] == "batch_end":
                batches.pop(row["batch_id"], None)
            else:
                calls = open_calls.get((segment, row["key"]))
                if calls:
                    calls.pop()
                yield row, row["usd"]
        for row in [call for calls in open_calls.values() for call in calls] + list(batches.values()):
            yield row, row["usd"]


class Segment:
    """A new file of the ledger for this process; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.has_new, self.is_closed = threading.Event(), False
        self.syncer = threading.Thread(target=self._sync_often, daemon=True)
        self.syncer.start()

    @classmethod
    def create(cls, folder: Path) -> "Segment":
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return cls(folder / f"{now}-{secrets.token_hex(4)}.jsonl")

    def append(self, row: Row) -> None:
        """Write one row; it survives the process from here on.

        Raises:
            StageError: the row could not be written whole (the disk is full).
        """
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if os.write(self.file, line) != len(line):
            raise StageError(
                f"{self.path}: the disk took only part of a row. Free some space; all earlier rows are kept."
            )
        self.has_new.set()

    def _sync_often(self) -> None:
        while not self.is_closed:
            self.has_new.wait()
            self.has_new.clear()
            os.fsync(self.file)
            time.sleep(SYNC_SECONDS)

    def __enter__(self) -> "Segment":
        return self

    def __exit__(self, *exception: object) -> None:
        self.is_closed = True
        self.has_new.set()
        self.syncer.join()
        os.fsync(self.file)
        os.close(self.file)
        if self.path.stat().st_size == 0:
            self.path.unlink()


def live_folder() -> Path:
    """`.ledger`, or LEDGER_DIR (let it be absolute where several clones share it)."""
    return Path(os.environ.get("LEDGER_DIR", ".ledger"))


def whole_ledger() -> Ledger:
    """This machine's segments and the published ones."""
    return Ledger([live_folder(), PUBLISHED])


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _read_row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "kind" in row else None


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Let one run at a time buy into a folder; a second would buy the same answers again.

    Raises:
        StageError: another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StageError(
                f"another run is buying into {folder}. Wait for it, or set LEDGER_DIR to another folder."
            ) from error
        yield
