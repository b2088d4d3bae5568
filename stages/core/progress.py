"""A progress bar with rate and time left: rich on a terminal, a plain line every few seconds elsewhere.

for request in track(requests, "distill", unit="requests"): ...
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stages.core.interruption import forget_progress, note_progress

Row = TypeVar("Row")
LINE_SECONDS = 10.0


class Tracker:
    """Counts units done of a total, 0 when it is not known; use as a context manager and call `advance`."""

    def __init__(self, title: str, total: int, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done = self.done_before = 0  # done before: by an earlier run that this one goes on from
        self.note = ""  # follows the rate, such as what was spent
        self.started = self.last_line = time.monotonic()
        self.bar: Progress | None = None

    def __enter__(self) -> "Tracker":
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            tail = (TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
            self.bar = Progress(*columns, *tail, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task(self.title, total=self.total or None, rate="")
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if not any(exception):
            forget_progress()

    def stop(self) -> None:
        """Take the bar off the terminal, whatever has ended the work."""
        if self.bar:
            self.bar.stop()

    def go_on_from(self, done: int) -> None:
        self.done = self.done_before = done
        note_progress(self.title, done, self.total, self.unit)

    @property
    def rate(self) -> float:
        """Units a second, of this run."""
        return (self.done - self.done_before) / max(time.monotonic() - self.started, 1e-9)

    def advance(self, count: int = 1) -> None:
        self.done += count
        note_progress(self.title, self.done, self.total, self.unit)
        now, rate = time.monotonic(), self.rate
        if self.bar:
            self.bar.update(self.task, completed=self.done, rate=f"{rate:,.1f} {self.unit}/s {self.note}")
        elif now - self.last_line >= LINE_SECONDS:
            line = f"{self.title}: {self.done:,} of {self.total:,} {self.unit}"
            if rate:
                line += f", {rate:,.1f}/s, {(self.total - self.done) / rate:.0f} s left"
            line = line if self.total else f"{self.title}: {self.done:,} {self.unit}, {rate:,.1f}/s"
            print(f"{line}, {self.note}" if self.note else line, file=sys.stderr, flush=True)
            self.last_line = now


def track(rows: Iterable[Row], title: str, total: int, unit: str) -> Iterator[Row]:
    """Yield the rows and show how many have been taken."""
    with Tracker(title, total, unit) as tracker:
        for row in rows:
            yield row
            tracker.advance()
