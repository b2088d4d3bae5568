"""Runs inside the sandbox: reads programs, forks for each, and writes one line of JSON per program.

Started by `sandbox.py` as `python -I zygote.py WALL_SECONDS`; imports nothing but the standard library, so that a
program starts in milliseconds. Results cross as text and a status, never as objects.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

MEMORY_BYTES = 1 << 30
OUTPUT_BYTES = 64 << 10
NUM_PROCESSES = 16
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38


def limit() -> None:
    """The limits of one program; hard ones, so that it cannot raise them."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_NPROC, (NUM_PROCESSES, NUM_PROCESSES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_child(program: str, out: int, err: int) -> None:
    """In the fork: own session, own pipes, no other descriptors; never returns."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)
    limit()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
    status = 0
    try:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except MemoryError:
        status = 77
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}"[:2000])
        status = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status & 0xFF)


def collect(child: int, pipes: dict[int, bytearray], wall_seconds: float) -> str:
    """Read the child's pipes until it ends, or too long, or too much; returns "" or the status that stopped it."""
    deadline = time.monotonic() + wall_seconds
    open_pipes = list(pipes)
    while open_pipes:
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        for pipe in select.select(open_pipes, [], [], left)[0]:
            block = os.read(pipe, 1 << 14)
            pipes[pipe] += block
            if not block:
                open_pipes.remove(pipe)
            if len(pipes[pipe]) > OUTPUT_BYTES:
                return "output"
    return ""


def kill_all() -> None:
    """Kill every process here but this one and the sandbox's first: nothing outlives its program."""
    keep = {1, os.getpid()}
    for _ in range(50):
        others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in keep]
        if not others:
            return
        for pid in others:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.002)


def execute(program: str, wall_seconds: float) -> dict[str, str]:
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    child = os.fork()
    if child == 0:
        run_child(program, out_write, err_write)
    os.close(out_write)
    os.close(err_write)
    pipes = {out_read: bytearray(), err_read: bytearray()}
    stopped = collect(child, pipes, wall_seconds)
    if stopped:
        os.kill(child, signal.SIGKILL)
    _, code = os.waitpid(child, 0)
    kill_all()
    for pipe in pipes:
        os.close(pipe)
    stdout, stderr = (bytes(block[:OUTPUT_BYTES]).decode("utf-8", "replace") for block in pipes.values())
    return {"status": stopped or status_of(code, stderr), "stdout": stdout, "stderr": stderr[:2000]}


def status_of(code: int, stderr: str) -> str:
    if os.WIFSIGNALED(code):
        return "timeout" if os.WTERMSIG(code) == signal.SIGXCPU else "killed"
    exit_code = os.WEXITSTATUS(code)
    if exit_code == 77 or "MemoryError" in stderr:
        return "memory"
    return "error" if exit_code else "ok"


def main() -> None:
    wall_seconds = float(sys.argv[1])
    libc = ctypes.CDLL(None)
    # Not dumpable: a program of the same user cannot open this process's memory or pipes through /proc.
    libc.prctl(PR_SET_DUMPABLE, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1)
    print("ready", flush=True)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(execute(json.loads(line), wall_seconds)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
