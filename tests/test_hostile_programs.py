"""What hostile programs leave: nothing. After each the same probe prints the same, as fast, and no result of chance is kept."""

from collections.abc import Iterator

import pytest

from stages.execution import sandbox as sandbox_module
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
