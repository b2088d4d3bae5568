"""A child process that answers each line with one line, and is killed when it does not.

    worker = LineProcess([sys.executable, "worker.py"])
    worker.read_line(30)            -> b"ready"
    worker.ask(b'{"a": 1}', 5)      -> b'{"b": 2}'; None when it stays silent, b"" when it ended
    worker.read_bytes(10, 5)        -> what follows that line

The reader never trusts the child: not to answer, not to end, not to keep its lines short.
"""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import psutil

END_SECONDS = 2.0


class LineProcess:
    """Not safe for threads. Keyword arguments go to `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], **settings: Any) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **settings)
        self.rest = b""  # what was read beyond the last line

    def ask(self, line: bytes, seconds: float) -> bytes | None:
        """The child's line for this line: None when none comes within so many seconds of silence, b"" when it ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return b""
        return self.read_line(seconds)

    def read_line(self, seconds: float) -> bytes | None:
        while b"\n" not in self.rest:
            block = self._block(seconds)
            if not block:
                return block
            self.rest += block
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def read_bytes(self, count: int, seconds: float) -> bytes | None:
        """As many bytes; None when they do not come, as after so many seconds of silence."""
        while len(self.rest) < count:
            block = self._block(seconds)
            if not block:
                return None
            self.rest += block
        content, self.rest = self.rest[:count], self.rest[count:]
        return content

    def _block(self, seconds: float) -> bytes | None:
        """What comes next: None when nothing does for so many seconds, b"" at the end."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        with DefaultSelector() as selector:
            selector.register(descriptor, EVENT_READ)
            return os.read(descriptor, 1 << 16) if selector.select(seconds) else None

    def kill(self) -> None:
        """Kill the child with all that it has started; may be called from another thread.

        Bubblewrap's --die-with-parent does not do: where it changes the user, the kernel forgets the signal that was asked for.
        """
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.kill()

    def stop(self) -> str:
        """Kill the child and wait for it; returns what stands on its standard error.

        Its pipes' ends are waited for, but not for long, as a process that was forked off meanwhile may hold them open.
        """
        self.kill()
        try:
            words = self.process.communicate(timeout=END_SECONDS)[1]
        except subprocess.TimeoutExpired as error:
            words = error.stderr or b""
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                with suppress(OSError):  # what was not written yet is for nobody
                    stream.close()  # type: ignore[union-attr]
        self.process.wait()
        return words.decode(errors="replace").strip()
