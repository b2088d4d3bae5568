"""What hostile programs leave: nothing. After each the same probe prints the same, as fast, and no result of chance is kept."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.execution import executions as executions_module
from stages.execution import sandbox as sandbox_module
from stages.execution.execution_cache import ExecutionCache
from stages.execution.executions import image_of, key_of, run_programs
from stages.execution.sandbox import Execution, Sandbox
from tests.hostile_programs import FLOODS, PROBE, PROGRAMS

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
def test_shared_memory_that_no_process_maps_any_more_counts(small: Sandbox) -> None:
    execution = small.run(HIDDEN)
    assert execution.status == "memory"
    assert not execution.is_final, "the shared memory of the whole machine was looked at"
