"""Commands of Python in processes of their own that need not import torch again: the client of tests/fork_server.py.

    server = ForkServer(folder)                                   # once for all tests
    process = Forked(["-m", "stages.distillation.distill", "in", "out"], output=file)    # like subprocess.Popen
    server.bin                                        # a folder for PATH whose `python` and `dvc` do the same

`python -m stages...` (or tests) and `dvc ...` on that PATH are forked; whatever else `python` is asked for goes to the real
interpreter. This module is what they run, so it imports little.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

SOCKET = "NINECHAPTERS_FORK_SERVER"
FORKED = ("stages.", "tests.", "dvc")
SHIM = """#!{python} -IS
import sys
sys.path.insert(0, {folder!r})
import forked
forked.main()
"""


class ForkServer:
    """The running server; `close` ends it and what it started."""

    def __init__(self, folder: Path) -> None:
        path, self.bin = folder / "socket", folder / "bin"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(64)
            command = [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(listener.fileno())]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], start_new_session=True
            )
        os.environ[SOCKET] = str(path)
        self.bin.mkdir()
        for name in ("python", "dvc"):
            shim = self.bin / name
            shim.write_text(SHIM.format(python=sys.executable, folder=str(Path(__file__).parent)))
            shim.chmod(0o755)

    def close(self) -> None:
        self.process.kill()  # the end of its pipe does not come while a forked process here holds it too
        self.process.wait()


class Forked:
    """A process of the fork server, by its pid: what is needed of subprocess.Popen."""

    def __init__(
        self,
        arguments: list[str],
        folder: str | Path = ".",
        environment: dict[str, str] | None = None,
        descriptors: tuple[int, int, int] = (0, 1, 2),
    ) -> None:
        request = {
            "arguments": arguments,
            "folder": os.path.abspath(folder),
            "environment": environment or dict(os.environ),
        }
        content = json.dumps(request).encode() + b"\n"
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(os.environ[SOCKET])
        sent = socket.send_fds(self.connection, [content], descriptors)
        self.connection.sendall(content[sent:])
        self.pid = self._number()
        self.returncode: int | None = None

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            piece = self.connection.recv(1)
            assert piece, "the fork server has ended"
            line += piece
        return int(line)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, or the negative number of a signal."""
        if self.returncode is None:
            waiting = select.poll()  # select() refuses numbers over 1,023, which a long run of tests comes to
            waiting.register(self.connection, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            self.returncode = self._number()
            self.connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def main() -> None:
    """What `python` and `dvc` on the tests' PATH do: a stage and DVC are forked, their end is ours; all else runs as it is."""
    own = ["-m", "dvc"] if Path(sys.argv[0]).name == "dvc" else []
    arguments = [*own, *sys.argv[1:]]
    if arguments[:1] != ["-m"] or not arguments[1].startswith(FORKED):
        os.execv(sys.executable, [sys.executable, *arguments])
    process = Forked(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: process.send_signal(number))
    status = process.wait()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
