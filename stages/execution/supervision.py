"""Runs inside the sandbox, beside zygote.py: one program from its fork to its end, watched and judged by what happened.

Run(request, server).end()  ->  {"status": "ok", "wall_seconds": 0.004, ..., "is_final": True, "is_whole": True}

A status comes from facts alone: a limit that was met, the signal or the exit status that ended the process, and for `memory` the name
that child.py gives the process that a MemoryError ended. Never from words that a program can write. A program and this process share no
memory, all pipes are new for each program, and what it prints passes through here in buffers that are overwritten.

A result is final if what the program did decides it. Another run may end otherwise where the wall time was over, or SIGKILL ended it;
its last run counts all the same. Never final is what others of the machine may have caused: memory that only the whole machine's figures
tell of, a wall time most of which the program waited for a CPU, and SIGKILL where the kernel wanted memory.
"""

import json
import os
import select
import signal
import sys
import time
from typing import Any

from stages.execution.buffers import Buffer, write_all
from stages.execution.child import MEMORY_NAME, MEMORY_STATUS, Pipes, run_child
from stages.execution.cleanup import Folders
from stages.execution.inheritance import Inheritance
from stages.execution.processes import (
    cpu_seconds,
    descendants,
    ended_cpu_seconds,
    exceeds,
    faulted_bytes,
    has_name,
    has_shared_memory,
    kill_all,
    machine_shared_bytes,
    num_starved,
    private_bytes,
    waited_seconds,
)

GLANCE_SECONDS = 0.02  # between looks at the files, of which a thousand may come in that time
LOOK_SECONDS = 0.1  # between looks at the processes


class Server:
    """What all programs share: the limits, the folders, and what they inherit from this process."""

    def __init__(self, limits: dict[str, Any], folders: Folders) -> None:
        self.limits, self.folders = limits, folders
        self.asked = Buffer(limits["request_bytes"])
        self.out, self.err = Buffer(limits["output_bytes"]), Buffer(limits["output_bytes"])
        self.inheritance = Inheritance()

    def request(self) -> dict[str, Any]:
        """The next line of JSON on standard input; the program that follows it, and a line break, stay in `asked`; empty at the end."""
        end = -1
        while end < 0 and self.asked.read_from(0):
            end = self.asked.content.find(b"\n", 0, self.asked.count)
        if end < 0:
            return {}
        request: dict[str, Any] = json.loads(bytes(self.asked.view[:end]))
        request["span"] = end + 1, end + 1 + request["program_bytes"]
        while self.asked.count <= request["span"][1] and self.asked.read_from(0):
            pass
        return request

    def program(self, span: tuple[int, int]) -> str:
        """The program that was asked for; only a fork may have it."""
        return bytes(self.asked.view[slice(*span)]).decode("utf-8", "surrogatepass")

    def answer(self, reply: dict[str, Any]) -> None:
        """Write a line of JSON, and the output after it."""
        sizes = {"stdout_bytes": len(self.out.kept), "stderr_bytes": len(self.err.kept)}
        write_all(1, json.dumps(reply | sizes).encode() + b"\n")
        for buffer in (self.out, self.err):
            buffer.write_to(1)
            buffer.clear()

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
        self.is_last = request["is_last"]
        self.wall_seconds = self.limits["wall_seconds"] * (self.limits["patience"] if self.is_last else 1)
        self.ended_before, self.starved_before = ended_cpu_seconds(), num_starved()
        self.shared_before, self.faulted_before = machine_shared_bytes(), faulted_bytes([])
        self.suspected_bytes = 0  # shared memory of the whole machine when the program was ended for it
        self.is_by_others = False
        out, err, ready = os.pipe(), os.pipe(), os.pipe()
        self.child = os.fork()
        if self.child == 0:
            run_child(server.program(request["span"]), request["seed"], self.limits, Pipes(out[1], err[1], ready[1]))
        server.asked.clear()
        for _, write_end in (out, err, ready):
            os.close(write_end)
        self.pipes = {out[0]: server.out, err[0]: server.err}
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
        is_over = os.pidfd_open(self.child)
        watched = [*self.pipes, is_over]
        next_glance, next_look = self.started + GLANCE_SECONDS, self.started + LOOK_SECONDS
        try:
            while watched:
                ready = select.select(watched, [], [], max(0.0, next_glance - time.monotonic()))[0]
                for pipe in ready:
                    if pipe == is_over:
                        kill_all(spared=self.child)
                    if pipe == is_over or not self.pipes[pipe].read_from(pipe):
                        watched.remove(pipe)
                if self.server.out.count > self.limits["output_bytes"]:
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

    def _look(self) -> str:
        pids = descendants()
        if exceeds(pids, self.limits["AS"]):
            return "memory"
        if self._may_hide_memory(pids):
            self.suspected_bytes, self.is_by_others = machine_shared_bytes(), True
            return "memory"
        if self.cpu_seconds(cpu_seconds(pids)) > self.limits["CPU"]:
            return "timeout"
        seconds = time.monotonic() - self.started
        if seconds <= self.wall_seconds:
            return ""
        self.is_by_others = seconds - waited_seconds(pids) < self.limits["wall_seconds"]
        return "timeout"

    def _may_hide_memory(self, pids: list[int]) -> bool:
        """Whether the program may have taken too much shared memory, of which no process maps all: no file of /proc tells whose it is.

        It must have grown by as much on the whole machine, the program must have faulted in as much beside its private pages, and some
        shared memory must be mapped, without which there is none.
        """
        limit = self.limits["AS"]
        if machine_shared_bytes() - self.shared_before <= limit or not has_shared_memory(pids):
            return False
        return faulted_bytes(pids) - self.faulted_before - sum(map(private_bytes, pids)) > limit

    def end(self) -> dict[str, Any]:
        """Kill what is left, remove what was written; returns what crosses to the other side, beside the output."""
        stopped = self.watch()
        seconds = time.monotonic() - self.started
        is_marked = not stopped and has_name(self.child, MEMORY_NAME)
        code = 0 if stopped else os.waitpid(self.child, 0)[1]
        for pipe in self.pipes:
            os.close(pipe)
        is_whole = self.server.is_whole()
        used = self.cpu_seconds(0.0)
        status = self._cleared(stopped) or status_of(code, is_marked)
        is_spent = used > self.limits["CPU"]
        is_killed = not stopped and os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL
        self.is_by_others |= is_killed and num_starved() > self.starved_before
        is_sure = is_spent or self.is_last or not (status == "timeout" or is_killed)
        return {
            "status": "timeout" if is_spent and status in ("ok", "error", "killed") else status,
            "wall_seconds": round(seconds, 4), "cpu_seconds": round(used, 4),
            "is_final": is_sure and not self.is_by_others, "is_whole": is_whole,
        }  # fmt: skip

    def _cleared(self, stopped: str) -> str:
        """The status that stopped the program; of one that was ended for shared memory and gave little back, that it was killed."""
        given_back = self.suspected_bytes - machine_shared_bytes()
        return "killed" if self.suspected_bytes and given_back < self.limits["AS"] / 2 else stopped


def status_of(code: int, is_marked: bool) -> str:
    """The status of a process that ended by itself with this code of waitpid(2); `is_marked`: under MEMORY_NAME."""
    if os.WIFSIGNALED(code):
        return "killed"
    exit_status = os.WEXITSTATUS(code)
    if exit_status == MEMORY_STATUS and is_marked:
        return "memory"
    return "error" if exit_status else "ok"
