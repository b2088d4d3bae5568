"""What a stage says when it is interrupted: how far it was, what is kept, and what to type; and how it stops.

    with interruptible("pretrain"): ...      # Ctrl-C, SIGTERM or SIGUSR1 in the block ends the stage with this line, status
                                             # 128 and the signal's number (130, 143, 138):

pretrain llama: interrupted at step 340 of 1,900; the checkpoint at step 300 is kept in .work/pretrain-llama-1a2b3c4d. Run the
same command again (`dvc repro`) to continue from there.

A tool is no stage: `dvc repro` does not run it, so `interruptible("value", is_stage=False)` leaves that out.

Trackers note how far the stage is, work folders and trainings what is kept. No worker process notes anything.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

PATIENCE_SECONDS = 10  # of work after an interrupt, on the way to a place where it can be saved
ENDING = (signal.SIGTERM, signal.SIGUSR1)  # beside Ctrl-C; SIGUSR1 is how Slurm warns of a job's end


@dataclass
class Notes:
    """What the stage of this process has noted."""

    title: str = ""
    progress: str = ""
    kept: str = ""
    is_stage: bool = True  # that `dvc repro` runs; False: a command that people type
    signal: int = 0  # the one that interrupts it; 0: none has come


_notes = Notes()


class Interrupted(click.ClickException):
    """A stage was interrupted: its message, and the status that shells give to a process which that signal ended."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number  # type: ignore[misc]

    def show(self, file: object = None) -> None:
        click.echo(self.format_message(), err=True)


@contextmanager
def interruptible(stage: str, is_stage: bool = True) -> Iterator[None]:
    """Run a stage, or a tool; end it with one line where Ctrl-C, SIGTERM or SIGUSR1 interrupts it.

    Raises:
        Interrupted: it was interrupted.
    """
    global _notes
    _notes = Notes(is_stage=is_stage)
    with ending_signals():
        try:
            yield
        except KeyboardInterrupt as interrupt:
            raise Interrupted(interrupted_line(stage), _notes.signal or signal.SIGINT) from interrupt


@contextmanager
def ending_signals() -> Iterator[None]:
    """SIGTERM and SIGUSR1 in the block raise KeyboardInterrupt, as Ctrl-C does, unless they have another handler."""
    with _signals({number: _interrupt for number in ENDING if signal.getsignal(number) == signal.SIG_DFL}):
        yield


def interrupted_line(stage: str) -> str:
    """One line for the user, of what was noted.

    >>> with interruptible("pretrain"):
    ...     note_progress("pretrain llama", 340, 1900, "steps")
    ...     note_kept("the checkpoint at step 300 is kept in .work/x")
    ...     interrupted_line("pretrain")
    'pretrain llama: interrupted at step 340 of 1,900; the checkpoint at step 300 is kept in .work/x. Run the same command again (`dvc repro`) to continue from there.'
    """
    kept = _notes.kept or "nothing is half-written"
    how = " to continue from there" if _notes.kept else " to start again" if _notes.is_stage else ""
    where = f" {_notes.progress}" if _notes.progress else ""
    title = _notes.title or stage
    return f"{title}: interrupted{where}; {kept}. Run {same_command()}{how}."


def same_command() -> str:
    """What to type to run again what runs now."""
    return f"the same command again{' (`dvc repro`)' if _notes.is_stage else ''}"


def note_progress(title: str, done: int, total: int, unit: str) -> None:
    """So much is done; the total is 0 where it is not known."""
    of = f" of {total:,}" if total else ""
    _notes.title = title
    _notes.progress = f"at step {done:,}{of}" if unit == "steps" else f"after {done:,}{of} {unit}"


def forget_progress() -> None:
    """What was counted is finished."""
    _notes.title = _notes.progress = ""


def note_kept(text: str, title: str = "") -> None:
    """What an interrupted stage leaves for the next run, as `the checkpoint at step 300 is kept in .work/x`; "" for nothing.
    The title stands for the command's name, as a tracker's does."""
    _notes.kept = text
    _notes.title = _notes.title or title


def is_interrupted() -> bool:
    """Whether a signal has come in a block of `finishing_first`."""
    return bool(_notes.signal)


@contextmanager
def finishing_first(
    title: str, seconds: float | None = None, asked: Callable[[], None] = lambda: None, at_once: Callable[[], None] = lambda: None
) -> Iterator[None]:  # fmt: skip
    """In the block the first Ctrl-C, SIGTERM or SIGUSR1 only makes `is_interrupted` true and calls `asked`: the work may go on
    to a place where it can be saved, and should raise KeyboardInterrupt there. The second Ctrl-C or SIGTERM calls `at_once` and raises it.

    `seconds`: how long the work may go on (None: PATIENCE_SECONDS; 0: as long as it takes). Without a title nothing is said.

    Raises:
        KeyboardInterrupt: also at the end of a block that was interrupted and came to its end all the same.
    """
    limit = PATIENCE_SECONDS if seconds is None else seconds

    def ask(number: int, _frame: object) -> None:
        if is_interrupted():
            if number == signal.SIGUSR1:
                return
            if _notes.signal != signal.SIGUSR1:
                at_once()
                _interrupt(number)
            # The SIGTERM after a warning says that the time is over: what is being saved may just be in time.
            _notes.signal = number
            return
        _notes.signal = number
        signal.setitimer(signal.ITIMER_REAL, limit)
        within = f", {limit} s at most" if limit else ""
        # Not print: the interrupted code may be in the middle of one.
        if title:
            os.write(2, f"{title}: saves its work first{within}; Ctrl-C again stops it at once\n".encode())
        asked()

    _notes.signal = 0
    numbers = {signal.SIGINT, *ENDING}
    with _signals({**dict.fromkeys(numbers, ask), signal.SIGALRM: _interrupt}):
        try:
            yield
        finally:
            if is_interrupted():
                signal.setitimer(signal.ITIMER_REAL, 0)
    if is_interrupted():
        raise KeyboardInterrupt


@contextmanager
def own_handlers() -> Iterator[None]:
    """What a library (Ray) sets for SIGINT and SIGTERM in the block is gone after it."""
    with _signals({number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}):
        yield


def _interrupt(number: int, _frame: object = None) -> None:
    _notes.signal = _notes.signal or number
    raise KeyboardInterrupt


@contextmanager
def _signals(handlers: dict[signal.Signals, object]) -> Iterator[None]:
    """Other handlers in the block; in a thread, which cannot set any, the same."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
