"""What hostile programs leave: nothing. After each the same probe prints the same, as fast, and no result of chance is kept."""

import json
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from stages.execution import executions as executions_module
from stages.execution import sandbox as sandbox_module
from stages.execution.execution_cache import ExecutionCache
from stages.execution.executions import image_of, key_of, run_programs
from stages.execution.processes import waited_seconds
from stages.execution.sandbox import Execution, Sandbox
from tests.hostile_programs import FLOODS, INNOCENT, LEFT, PROBE, PROGRAMS

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One for all programs, in which they have a second of CPU time, and three of wall time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox_module, "CPU_SECONDS", 1.0)
        patch.setattr(sandbox_module, "WALL_SECONDS", 3.0)
        with Sandbox() as running:
            yield running


@pytest.fixture(scope="module")
def probe(sandbox: Sandbox) -> Execution:
    """What the probe prints in a sandbox where nothing else has run, in the median time of three."""
    found = [sandbox.run(PROBE, is_last=True) for _ in range(3)]
    assert {one.status for one in found} == {"ok"}, found[0]
    assert len({one.stdout for one in found}) == 1
    return sorted(found, key=lambda one: one.cpu_seconds)[1]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in FLOODS else ()) for name in PROGRAMS]
)
def test_a_hostile_program_reaches_nothing_and_leaves_nothing(name: str, sandbox: Sandbox, probe: Execution) -> None:
    program, statuses = PROGRAMS[name]
    interpreter = sandbox.interpreters[False]
    execution = sandbox.run(program)
    assert sandbox.interpreters.get(False) is interpreter, "the sandbox was replaced"
    assert execution.status in statuses.split(), execution
    assert "REACHED" not in execution.stdout, execution
    after = sandbox.run(PROBE, is_last=True)
    assert after.stdout == probe.stdout, after
    times = [after.cpu_seconds]
    while min(times) > 2 * probe.cpu_seconds and len(times) < 5:  # the machine's other work takes its part
        times.append(sandbox.run(PROBE, is_last=True).cpu_seconds)
    assert min(times) <= 2 * probe.cpu_seconds


@pytest.mark.parametrize("name", LEFT)
def test_a_program_finds_nothing_of_the_one_before(name: str, sandbox: Sandbox) -> None:
    leave, find = LEFT[name]
    interpreter = sandbox.interpreters[False]
    left, found = sandbox.run(leave), sandbox.run(find, is_last=True)
    assert sandbox.interpreters.get(False) is interpreter
    assert found.status == "ok", found
    assert "REACHED" not in left.stdout + found.stdout, found


@pytest.mark.parametrize("name", INNOCENT)
def test_what_a_program_asks_of_its_own_is_given(name: str, sandbox: Sandbox) -> None:
    """The same words as in an interpreter without a sandbox; each has one line at least."""
    execution = sandbox.run(INNOCENT[name][0], is_last=True)
    assert execution.stdout, execution
    assert "False" not in execution.stdout


def kept(folder: Path, program: str) -> Execution | None:
    cache = ExecutionCache(folder)
    cache.refresh()
    return cache.get(key_of(program, 0, image_of()))


@pytest.mark.parametrize(
    "change",
    [
        "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (12, 12))",
        "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_STACK, (1 << 20, 1 << 20))",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "os.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))})",
        "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
        "open(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('999')",
    ],
)
def test_what_a_program_changes_is_seen_and_nothing_of_it_is_kept(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing isolates, and no call is refused: the interpreter is replaced before the next program."""
    if "affinity" in change and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("this machine gives one processor, so there is none to take away")
    monkeypatch.setenv(sandbox_module.UNSAFE, "1")
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "1")
    monkeypatch.setattr(executions_module, "CACHE", tmp_path / "executions")
    monkeypatch.setattr(executions_module, "_workers", {})
    innocent = [f"print({i})" for i in range(3)]
    try:
        found = run_programs([f"import os\ntry: {change}\nexcept PermissionError: print('refused')", *innocent])
    finally:
        executions_module.close_sandboxes()
    spoiler = next(iter(found))
    if found[spoiler].stdout == "refused\n":
        pytest.skip("this user may not change that of another process")
    assert [found[program].stdout for program in innocent] == ["0\n", "1\n", "2\n"]
    assert not found[spoiler].is_final
    assert kept(tmp_path / "executions", spoiler) is None
    assert kept(tmp_path / "executions", innocent[0]) is not None


def test_a_program_that_could_not_be_prepared_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    given = sandbox_module.limits
    monkeypatch.setattr(sandbox_module, "limits", lambda *rest: {**given(*rest), "FSIZE": "much"})
    with Sandbox() as running:
        execution = running.run("print(1)", is_last=True)
        assert (execution.status, execution.stderr, execution.is_final) == ("killed", "the sandbox was lost", False)


SHARED = """
import mmap, os, time
for _ in range({count}):
    if os.fork() == 0:
        m = mmap.mmap(-1, {megabytes} << 20)
        m[0] = 1
        time.sleep({seconds})
        os._exit(0)
for _ in range({count}): os.wait()
print('held')
"""
HIDDEN = """
import mmap, time
kept = []
for _ in range(12):
    kept.append(mmap.mmap(-1, 16 << 20))
    for i in range(0, 16 << 20, 4096): kept[-1][i] = 1
    kept[-1].resize(4096)
time.sleep(60)
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox whose programs have 100 MiB."""
    monkeypatch.setattr(sandbox_module, "MEMORY_BYTES", 100 << 20)
    with Sandbox() as running:
        yield running


def test_shared_memory_counts_once_and_whole(small: Sandbox) -> None:
    assert small.run(SHARED.format(count=1, megabytes=60, seconds=0.3)).stdout == "held\n"
    assert small.run(SHARED.format(count=2, megabytes=60, seconds=60)).status == "memory"
    forked = "import mmap, os, time\nm = mmap.mmap(-1, 60 << 20)\nfor _ in range(6):\n    if os.fork() == 0: time.sleep(0.3); os._exit(0)\ntime.sleep(0.3); print('one')"
    assert small.run(forked).stdout == "one\n", "a piece that seven processes have is one"


def test_private_pages_that_forks_share_count_once(small: Sandbox) -> None:
    program = "import os, time\nb = bytearray(40 << 20)\nfor _ in range(6):\n    if os.fork() == 0: time.sleep(0.3); os._exit(0)\ntime.sleep(0.3); print('one')"
    assert small.run(program).stdout == "one\n"
    each = "import os, time\nfor _ in range(6):\n    if os.fork() == 0: b = bytearray(40 << 20); time.sleep(60)\ntime.sleep(60)"
    assert small.run(each).status == "memory"


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)"])
def test_shared_memory_that_no_process_maps_any_more_counts(first: str, small: Sandbox) -> None:
    """Also where a program does not let its memory be looked into; for others of the machine have shared memory, it is never final."""
    for is_last in (False, True):
        execution = small.run(first + HIDDEN, is_last=is_last)
        assert (execution.status, execution.is_final) == ("memory", False)


@contextmanager
def shared_elsewhere(megabytes: int, after_seconds: float) -> Iterator[None]:
    """Another process of the machine takes shared memory."""

    def take() -> None:
        time.sleep(after_seconds)
        block = mmap.mmap(-1, megabytes << 20)
        for _ in range(megabytes):
            block.write(bytes(1 << 20))
        taken.append(block)

    taken: list[mmap.mmap] = []
    thread = Thread(target=take)
    thread.start()
    yield
    thread.join()
    taken.pop().close()


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize(
    "program",
    [
        "import mmap, time\nm = mmap.mmap(-1, 4096); m[0] = 1\ntime.sleep(1.2); print('ok')",
        "from multiprocessing import Process, Value\nimport time\nv = Value('i', 3)\np = Process(target=time.sleep, args=(1,)); p.start(); p.join(); time.sleep(0.2); print('ok')",
        "import mmap, time\nm = mmap.mmap(-1, 60 << 20); m.write(bytes(60 << 20))\ntime.sleep(1.2); print('ok')",
    ],
)
def test_what_others_of_the_machine_take_is_not_the_programs(program: str, is_last: bool, small: Sandbox) -> None:
    small.run("print(1)")
    with shared_elsewhere(150, after_seconds=0.3):
        execution = small.run(program, is_last=is_last)
    assert (execution.status, execution.stdout, execution.is_final) == ("ok", "ok\n", True)


def test_two_that_have_most_of_the_memory_each_are_both_right(small: Sandbox) -> None:
    program = "import mmap, time\nm = mmap.mmap(-1, 70 << 20)\nfor _ in range(70): m.write(bytes(1 << 20))\ntime.sleep(1); print('ok')"
    with Sandbox() as other, ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda one: one.run(program), (small, other)))
    assert [(one.status, one.stdout, one.is_final) for one in found] == [("ok", "ok\n", True)] * 2


def test_a_program_that_could_have_taken_what_another_did_is_called_no_bomb(small: Sandbox) -> None:
    """It maps and frees private pages while another takes shared memory: what its end gives back clears it; nothing of it is final."""
    program = "import mmap, time\nm = mmap.mmap(-1, 4096); m[0] = 1\nfor _ in range(60):\n    mmap.mmap(-1, 4 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).write(bytes(4 << 20))\ntime.sleep(2); print('ok')"
    with shared_elsewhere(150, after_seconds=0.3):
        execution = small.run(program, is_last=True)
    assert execution.status in ("killed", "ok"), execution
    assert execution.is_final == (execution.status == "ok")


RUN = """
import json, sys, time
from stages.execution import supervision
import os
from stages.execution.child import mapped_bytes
from stages.execution.cleanup import Folders
from stages.execution.sandbox import limits
folder, program, is_last, starved, waited = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
starved_counts = iter([0, starved])
supervision.num_starved, supervision.waited_seconds = lambda: next(starved_counts), lambda pids: waited
server = supervision.Server({**limits([folder]), "mapped_bytes": mapped_bytes(), "wall_seconds": 0.3}, Folders([folder]))
request = json.dumps({"program_bytes": len(program), "seed": 1, "is_last": bool(is_last)}) + f"\\n{program}\\n"
pipe = os.pipe()
os.dup2(pipe[0], 0)
os.write(pipe[1], request.encode())
print(json.dumps(supervision.Run(server.request(), server).end()))
"""


@pytest.mark.parametrize(
    ("program", "is_last", "starved", "waited", "expected"),
    [
        ("import os; os.kill(os.getpid(), 9)", 0, 0, 0, ("killed", False)),
        ("import os; os.kill(os.getpid(), 9)", 1, 0, 0, ("killed", True)),
        ("import os; os.kill(os.getpid(), 9)", 1, 1, 0, ("killed", False)),
        ("print(1)", 0, 1, 0, ("ok", True)),
        ("import time; time.sleep(60)", 0, 0, 0, ("timeout", False)),
        ("import time; time.sleep(60)", 1, 0, 0, ("timeout", True)),
        ("import time; time.sleep(60)", 1, 0, 0.85, ("timeout", False)),
    ],
)
def test_what_others_may_have_caused_is_not_final_in_the_last_run_either(
    program: str, is_last: int, starved: int, waited: float, expected: tuple[str, bool], tmp_path: Path
) -> None:
    """The kernel wanted memory; a program that had 0.3 s of wall time waited for a CPU for most of 0.9 s."""
    arguments = [str(tmp_path), program, str(is_last), str(starved), str(waited)]
    command = [sys.executable, "-c", RUN, *arguments]
    reply = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (reply["status"], reply["is_final"]) == expected


def test_a_thread_that_waits_for_a_cpu_is_told(tmp_path: Path) -> None:
    """Three busy loops on one CPU wait for two thirds of the time; one that sleeps does not."""
    loop = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
    started = [
        subprocess.Popen([sys.executable, "-c", program]) for program in (*[loop] * 3, "import time; time.sleep(60)")
    ]
    try:
        time.sleep(1.5)
        busy, asleep = waited_seconds([one.pid for one in started[:3]]), waited_seconds([started[3].pid])
    finally:
        for one in started:
            one.kill()
            one.wait()
    assert busy > 1
    assert asleep < busy / 3
    assert waited_seconds([started[0].pid]) == 0.0, "it has ended"
