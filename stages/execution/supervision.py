"""Runs inside the sandbox, beside zygote.py: one program from its fork to its end, watched and judged by what happened.

Run(request, server).end()  ->  {"status": "ok", "stdout": "42\\n", ..., "is_final": True, "is_whole": True}

A status comes from facts alone: a limit that was met, the signal or the exit status that ended the process, and for `memory` the mark
that child.py sets when a MemoryError ended it. Never from words that a program can write.
"""

import mmap
import os
import select
import signal
import sys
import time
from typing import Any

from stages.execution.child import MEMORY_STATUS, STDERR_CHARS, Pipes, run_child
from stages.execution.cleanup import Folders
from stages.execution.inheritance import Inheritance
from stages.execution.processes import (
    cpu_seconds,
    descendants,
    ended_cpu_seconds,
    exceeds,
    has_shared_memory,
    kill_all,
    machine_shared_bytes,
)

GLANCE_SECONDS = 0.02  # between looks at the files, of which a thousand may come in that time
LOOK_SECONDS = 0.1  # between looks at the processes


class Server:
    """What all programs share: the limits, the folders, and what they inherit from this process."""

    def __init__(self, limits: dict[str, Any], folders: Folders) -> None:
        self.limits, self.folders = limits, folders
        self.report = mmap.mmap(-1, mmap.PAGESIZE)
        self.inheritance = Inheritance()

    def is_whole(self) -> bool:
        """Whether nothing of a program is left, and the next one will inherit what it did."""
        if not kill_all() or not self.folders.clean():
            return False
        if changes := self.inheritance.changes():
            os.write(2, f"a program changed what the next one inherits: {', '.join(changes)}\n".encode())
        return not changes


class Run:
    """One program from its fork to its end."""

    def __init__(self, request: dict[str, Any], server: Server) -> None:
        self.server, self.limits = server, server.limits
        self.wall_seconds = self.limits["wall_seconds"] * (self.limits["patience"] if request["is_last"] else 1)
        self.ended_before, self.shared_before = ended_cpu_seconds(), machine_shared_bytes()
        self.is_by_others = False
        server.report[:4] = bytes(4)
        out, err, ready = os.pipe(), os.pipe(), os.pipe()
        self.child = os.fork()
        if self.child == 0:
            run_child(request, self.limits, Pipes(out[1], err[1], ready[1]), server.report)
        for _, write_end in (out, err, ready):
            os.close(write_end)
        self.pipes = {out[0]: bytearray(), err[0]: bytearray()}
        self.import_cpu_seconds = self._imported(ready[0])
        self.started = time.monotonic()

    def _imported(self, pipe: int) -> float:
        """Wait for the program's imports; returns the CPU seconds that they took.

        A process that does not come so far is no fault of the program: this one ends, and with it the sandbox.
        """
        if not select.select([pipe], [], [], self.limits["import_seconds"])[0]:
            kill_all()
            sys.exit("a program's libraries were not imported in time")
        seconds = os.read(pipe, 64)
        if not seconds:
            kill_all()
            sys.exit("a program's process could not be prepared")
        os.close(pipe)
        return float(seconds)

    def cpu_seconds(self, running: float) -> float:
        """Of the program and all that it started: `running` is what those that still run have used."""
        return max(0.0, ended_cpu_seconds() - self.ended_before + running - self.import_cpu_seconds)

    def watch(self) -> str:
        """Read the pipes until the program ends, or too long, or too much; returns "" or the status that stopped it.

        Standard error beyond its limit is read and dropped, so that a program that warns much still answers. What the child
        leaves running when it ends is killed at once, and holds no pipe open.
        """
        out, _ = self.pipes
        is_over = os.pidfd_open(self.child)
        watched = [*self.pipes, is_over]
        next_glance, next_look = self.started + GLANCE_SECONDS, self.started + LOOK_SECONDS
        try:
            while watched:
                ready = select.select(watched, [], [], max(0.0, next_glance - time.monotonic()))[0]
                for pipe in ready:
                    if pipe == is_over:
                        kill_all(spared=self.child)
                    if pipe == is_over or not self._read(pipe, pipe == out):
                        watched.remove(pipe)
                if len(self.pipes[out]) > self.limits["output_bytes"]:
                    return "output"
                now = time.monotonic()
                if now >= next_glance:
                    next_glance = now + GLANCE_SECONDS
                    if self.server.folders.num_files() > self.limits["files"]:  # empty ones take memory, though no size
                        return "memory"
                if now >= next_look:
                    next_look = now + LOOK_SECONDS
                    if status := self._look():
                        return status
        finally:
            os.close(is_over)
        return ""

    def _read(self, pipe: int, is_whole: bool) -> bool:
        """Whether the pipe is still open."""
        block = os.read(pipe, 1 << 16)
        if is_whole or len(self.pipes[pipe]) < self.limits["output_bytes"]:
            self.pipes[pipe] += block
        return bool(block)

    def _look(self) -> str:
        pids = descendants()
        if exceeds(pids, self.limits["AS"]):
            return "memory"
        if machine_shared_bytes() - self.shared_before > self.limits["AS"] and has_shared_memory(pids):
            self.is_by_others = True  # shared pages that no process has mapped: they may be another's
            return "memory"
        is_late = time.monotonic() - self.started > self.wall_seconds
        return "timeout" if is_late or self.cpu_seconds(cpu_seconds(pids)) > self.limits["CPU"] else ""

    def end(self) -> dict[str, Any]:
        """Kill what is left, remove what was written; returns what crosses to the other side."""
        stopped = self.watch()
        seconds = time.monotonic() - self.started
        code = 0 if stopped else os.waitpid(self.child, 0)[1]
        for pipe in self.pipes:
            os.close(pipe)
        is_whole = self.server.is_whole()
        size = self.limits["output_bytes"]
        stdout, stderr = (bytes(block[:size]).decode("utf-8", "replace") for block in self.pipes.values())
        used = self.cpu_seconds(0.0)
        status = stopped or self._status_of(code)
        is_spent = used > self.limits["CPU"]
        by_others = self.is_by_others or (not stopped and os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL)
        return {
            "status": "timeout" if is_spent and status in ("ok", "error", "killed") else status, "stdout": stdout,
            "stderr": stderr[-STDERR_CHARS:], "wall_seconds": round(seconds, 4), "cpu_seconds": round(used, 4),
            "is_final": is_spent or not (status == "timeout" or by_others), "is_whole": is_whole,
        }  # fmt: skip

    def _status_of(self, code: int) -> str:
        if os.WIFSIGNALED(code):
            return "killed"
        exit_status = os.WEXITSTATUS(code)
        is_marked = int.from_bytes(self.server.report[:4], "little") == self.child
        if exit_status == MEMORY_STATUS and is_marked:
            return "memory"
        return "error" if exit_status else "ok"
