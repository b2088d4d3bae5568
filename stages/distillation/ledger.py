"""The ledger: every paid answer and every cent, in append-only segments that outlive any run.

    ledger = whole_ledger()
    answers = ledger.answers({row["request_id"] for row in requests})
    with own_segment() as segment:
        segment.append({"kind": "sent", "key": key, "usd": worst_usd, "at": now()})

A segment is one JSONL file of one process, and two people's ledgers merge by copying files together. Each row is written to
the file at once (a killed process loses nothing) and synced to the disk within
`SYNC_SECONDS` (a power cut loses that much). Of two answers to one key the one in the earlier-named segment stands, so everybody with the same segments gets the
same completions. A row that cannot be trusted is told with its file and line; its answer is not used, its cost counts.

Rows, by `kind`: `sent` before a call leaves, with its worst-case price; `answer`; `failure` (an attempt that gave no
answer, with what it may have cost); `batch` (a batch job is known to the server) and `batch_end`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stages.core.command import say
from stages.distillation.ledger_costs import Costs, follow
from stages.distillation.ledger_files import Fault, segments_in
from stages.distillation.ledger_folder import live_folder, own_folders, project_folder
from stages.distillation.ledger_lock import hold
from stages.distillation.ledger_rows import Row
from stages.distillation.ledger_segment import Segment

PUBLISHED = Path("data/ledger")
MAX_TOLD = 5  # faults that are told one by one


class Ledger:
    """The segments of some folders, read as one; a segment that lies in two folders is read once."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._of_files: list[Fault] = []
        self.segments = segments_in(folders, self._of_files)
        self.faults = list(self._of_files)  # of the last reading

    @property
    def num_torn(self) -> int:
        return sum(fault.is_torn for fault in self.faults)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """(segment's name, row) of every row that can be used, segments in the order of their names."""
        self.faults = list(self._of_files)
        for segment in self.segments:
            for row in segment.rows(self.faults):
                yield segment.name, row

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
            follow(batches, row)
        return batches

    def spent_usd(self) -> float:
        """What these segments cost at most: answers, failures that may have been billed, calls without an end, lost rows.

        Imported answers were paid by somebody else.
        """
        return sum(usd for row, usd in self.costs() if row.get("via") != "import")

    def costs(self) -> Iterator[tuple[Row, float]]:
        """(row, USD) of everything that cost or may have cost money; a call without an end at its worst case."""
        self.faults = list(self._of_files)
        costs = Costs()
        for segment in self.segments:
            yield from costs.of_segment(segment, self.faults)
        yield from costs.of_rest()

    def tell_faults(self, stage: str, keys: set[str]) -> None:
        """Say what could not be read at the last reading, and which of the keys' answers may have stood there."""
        for fault in self.faults[:MAX_TOLD]:
            say(f"{stage}: {fault}")
        if len(self.faults) > MAX_TOLD:
            say(f"{stage}: and {len(self.faults) - MAX_TOLD:,} more such rows of the ledger")
        if lost := [fault for fault in self.faults if not fault.is_torn]:
            say(f"{stage}: what was there counts as spent, but its answers are lost unless you restore the file (from a "
                f"backup, or with `dvc checkout --force data/ledger.dvc`)")  # fmt: skip
        if num_missing := len({fault.key for fault in lost} & keys):
            say(
                f"{stage}: {num_missing:,} of the missing answers were paid for and were there; buying them again "
                f"means paying again"
            )


@contextmanager
def own_segment(room_bytes: int = 0) -> Iterator[Segment]:
    """A new segment of this project's ledger, into which nobody else buys meanwhile.

    Raises:
        StageError: another run buys, or the disk has no room.
    """
    with hold(live_folder()), Segment.create(live_folder(), room_bytes) as segment:
        yield segment


def own_ledger() -> Ledger:
    """This project's own segments."""
    return Ledger(own_folders())


def whole_ledger() -> Ledger:
    """This project's segments and the published ones."""
    return Ledger([*own_folders(), *dict.fromkeys([PUBLISHED, project_folder() / PUBLISHED])])


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
