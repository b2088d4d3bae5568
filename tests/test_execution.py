"""The sandbox survives what programs do, and lets the good ones run."""

import json
import os
from pathlib import Path

import pytest

from stages.execution import sandbox as sandbox_module
from stages.execution.sandbox import Sandbox, SandboxUnavailable, run_programs

pytestmark = pytest.mark.sandbox
HOSTILE = Path("../shared/hostile")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.mark.parametrize(
    ("program", "status", "stdout"),
    [
        ("print(6 * 7)", "ok", "42\n"),
        ("1 / 0", "error", ""),
        ("import sys; print(1); sys.exit(3)", "error", "1\n"),
        ("x = 'a' * (3 << 30)", "memory", ""),
        ("import os; os.kill(os.getpid(), 9)", "killed", ""),
        ("def f(:", "error", ""),
        ("import sympy; print(sympy.factorint(12))", "ok", "{2: 2, 3: 1}\n"),
        ("print(open('/etc/shadow').read())", "error", ""),
        ("import socket; socket.create_connection(('127.0.0.1', 22), 1)", "error", ""),
        (
            "import os; print(os.environ.get('SECRET'), os.path.exists('/boot'), os.path.exists('/var'))",
            "ok",
            "None False False\n",
        ),
    ],
)
def test_statuses(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, program: str, status: str, stdout: str | None
) -> None:
    execution = sandbox.run(program)
    assert execution.status == status, execution
    if stdout is not None:
        assert execution.stdout == stdout


def test_too_much_output_is_stopped(sandbox: Sandbox) -> None:
    assert sandbox.run("while True: print('x' * 1000)").status == "output"


def test_nothing_is_left_to_the_next_program(sandbox: Sandbox) -> None:
    sandbox.run("import builtins; builtins.len = lambda x: 0")
    assert sandbox.run("print(len('abc'))").stdout == "3\n"


def test_the_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with Sandbox() as running:
        execution = running.run("import os; print(dict(os.environ))\nprint(open('/proc/self/environ').read())")
    assert "canary" not in execution.stdout


def test_a_program_that_kills_the_sandbox_loses_only_itself(sandbox: Sandbox) -> None:
    assert sandbox.run("import os; os.kill(os.getppid(), 9)").status == "killed"
    assert sandbox.run("print(1)").stdout == "1\n"


def test_a_loop_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "WALL_SECONDS", 0.5)
    with Sandbox() as running:
        assert running.run("while True: pass").status == "timeout"
        assert running.run("import time; time.sleep(60)").status == "timeout"


def test_run_programs_keeps_them_apart() -> None:
    programs = [f"print({i})" for i in range(20)] * 2
    assert {p: e.stdout for p, e in run_programs(programs).items()} == {f"print({i})": f"{i}\n" for i in range(20)}
    assert run_programs([]) == {}


def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox_module.bubblewrap.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="Install it"):
        run_programs(["print(1)"])
    sandbox_module.bubblewrap.cache_clear()


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the folder of hostile programs is not beside the project")
def test_a_sample_of_hostile_programs_leaves_nothing_behind() -> None:
    names = (
        "02_memory_bomb",
        "03_infinite_loop",
        "09_huge_stdout",
        "12_sys_exit",
        "14_segfault",
        "22_deep_recursion",
        "50_good_program",
    )
    index = {
        entry["file"] if isinstance(entry, dict) else entry
        for entry in json.loads((HOSTILE / "index.json").read_text())
    }
    assert index
    before = set(os.listdir("/proc"))
    with Sandbox() as running:
        for name in names:
            source = (HOSTILE / f"{name}.py").read_text()
            expected = json.loads(source.partition("# EXPECT:")[2].splitlines()[0])
            assert running.run(source).status in expected["status"], name
        assert running.run("print('still here')").stdout == "still here\n"
    left = [pid for pid in set(os.listdir("/proc")) - before if pid.isdigit() and "zygote" in _command(pid)]
    assert not left


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
