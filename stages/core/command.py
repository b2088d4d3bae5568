"""The Click command that every stage script uses: typed options, clear errors, a first and a last line.

    @stage_command("select_texts")
    @click.argument("values", type=click.Path(path_type=Path))
    @click.option("--num-texts", type=click.IntRange(min=1), required=True, help="...")
    def main(values, num_texts): ...

dvc.yaml unpacks a section of params.yaml into the command (`${section}`), so `top_p: 0.9` arrives as `--top_p 0.9`
and is read as `--top-p`. A `StageError` ends the command with its message and exit status 1, without a traceback.
"""

import errno
import functools
import gc
import os
import sys
import time
from collections.abc import Callable

import click

from stages.core.interruption import interruptible
from stages.core.redaction import printable, scrub

# Importing torch and transformers makes objects by the hundred thousand that stay to the end; at Python's threshold of
# 700 the collector walks over them again and again, a quarter of the import's time. `stage_command` then freezes them.
gc.set_threshold(50_000, 50, 1000)


class StageError(click.ClickException):
    """What is wrong, where, with the value, and what to do next. Ends the stage; nothing is half-written."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(scrub(message)))  # it may quote a server or a file

    def show(self, file: object = None) -> None:
        click.echo(f"error: {self.format_message()}", err=True)


def normalize_token(token: str) -> str:
    """`top_p` in params.yaml is `--top-p` on the command line."""
    return token.replace("_", "-")


def stage_command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Turn a function into the command of a stage of the pipeline; its docstring is the help text.

    The name is also that of the stage's code in data/code (stages/project/closure.py).
    """
    return _command(name, is_stage=True)


def tool_command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Turn a function into a command that people type, no stage of the pipeline."""
    return _command(name, is_stage=False)


def _command(name: str, is_stage: bool) -> Callable[[Callable[..., None]], click.Command]:
    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(**options: object) -> None:
            started = time.monotonic()
            gc.freeze()  # what was imported stays to the end: the collector need not look at it, nor at exit
            try:
                with interruptible(name, is_stage):
                    function(**options)
            except OSError as error:
                raise StageError(f"{name}: {os_error_text(error)}") from error
            say(f"{name}: done in {time.monotonic() - started:.1f} s")

        settings = {"token_normalize_func": normalize_token, "show_default": True, "max_content_width": 110}
        if getattr(function, "takes_named", False):  # stages.core.options.named_sections looks at them
            settings["ignore_unknown_options"] = True
        return click.command(name, context_settings=settings)(run)

    return decorate


def os_error_text(error: OSError) -> str:
    """An operating system's error as one sentence that says what to do next."""
    where = f" at {error.filename}" if error.filename else ""
    advice = {
        errno.ENOSPC: "The disk is full: free some space and run this again; nothing was half-written.",
        errno.EDQUOT: "Your quota of the disk is used up: free some space and run this again; nothing was half-written.",
        errno.EFBIG: "A limit of the size of files is reached: raise it (`ulimit -f`) and run this again.",
        errno.EROFS: "The file system may only be read: mount it for writing, or name a folder elsewhere.",
        errno.EACCES: "Give this user the right to it.",
        errno.ENOENT: "Run the stage that makes it (`dvc repro`), or correct the path.",
    }.get(error.errno or 0, "")
    return f"{error.strerror or error}{where}. {advice}".strip()


def say(line: str) -> None:
    """One line of what happens, on standard error at once."""
    click.echo(printable(scrub(line)), err=True)
    sys.stderr.flush()


def worker_count() -> int:
    """How many worker processes to use: `NINECHAPTERS_WORKERS`, else the CPUs this process may use."""
    from stages.core.environment import count_in

    return count_in("NINECHAPTERS_WORKERS") or len(os.sched_getaffinity(0))
