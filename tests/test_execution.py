"""The sandbox survives what programs do, leaves nothing behind, and lets the good ones run."""

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from click.testing import CliRunner

from stages.execution import executions as executions_module
from stages.execution import sandbox as sandbox_module
from stages.execution.executions import may_draw, run_programs, start_programs
from stages.execution.run_program import main as run_program
from stages.execution.sandbox import Sandbox, SandboxUnavailable, sandbox_command

pytestmark = pytest.mark.sandbox
HOSTILE = Path(__file__).resolve().parents[2] / "shared" / "hostile"
needs_hostile = pytest.mark.skipif(
    not HOSTILE.is_dir(), reason="the folder of hostile programs is not beside the project"
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as running:
        yield running


def give(monkeypatch: pytest.MonkeyPatch, cpu_seconds: float, wall_seconds: float, patience: int = 3) -> None:
    """The times of the programs of the sandboxes that are begun after this."""
    monkeypatch.setattr(sandbox_module, "CPU_SECONDS", cpu_seconds)
    monkeypatch.setattr(sandbox_module, "WALL_SECONDS", wall_seconds)
    monkeypatch.setattr(sandbox_module, "PATIENCE", patience)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch):
    """A sandbox whose programs have half a second of CPU time, and one of wall time."""
    give(monkeypatch, cpu_seconds=0.5, wall_seconds=1.0)
    with Sandbox() as running:
        yield running


def processes_of_sandboxes() -> set[str]:
    """The live processes of sandboxes: of this process and those that it started, and of nobody that lives."""
    own = psutil.Process()
    ours = {own.pid, 1, *(process.pid for process in (*own.parents(), *own.children(recursive=True)))}
    found = {}
    for process in psutil.process_iter(["cmdline", "status", "ppid"]):
        command = " ".join(process.info["cmdline"] or [])
        if "zygote.py" in command and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[process.pid] = process.info["ppid"], f"{process.pid} {command[:60]!r}"
    return {told for parent, told in found.values() if _root_of(parent, found) in {0, *ours}}


def _root_of(pid: int, found: dict[int, tuple[int, str]]) -> int:
    while pid in found:
        pid = found[pid][0]
    return pid


@pytest.mark.parametrize(
    ("program", "status", "stdout"),
    [
        ("print(6 * 7)", "ok", "42\n"),
        ("1 / 0", "error", ""),
        ("import sys; print(1); sys.exit(3)", "error", "1\n"),
        ("import sys; print(7); sys.exit(0)", "ok", "7\n"),
        ("x = 'a' * (3 << 30)", "memory", ""),
        ("import os; os.kill(os.getpid(), 9)", "killed", ""),
        ("def f(:", "error", ""),
        ("x = '\0'", "error", ""),
        ("import sympy; print(sympy.factorint(12))", "ok", "{2: 2, 3: 1}\n"),
        ("import numpy as np; print(np.arange(3).sum())", "ok", "3\n"),
        ("if __name__ == '__main__': print('main')", "ok", "main\n"),
        ("input('n? ')", "error", "n? "),
        ("import sys; sys.exit('words')", "error", ""),
        ("print(1)\nimport io, sys; sys.stdout = io.StringIO(); print(2)", "ok", "1\n"),
        ("import sys; print(1, file=sys.__stdout__); sys.stdout = None", "ok", "1\n"),
        ("import sys; print(1); sys.stdout.close(); sys.stderr.close()", "ok", "1\n"),
        ("import builtins; builtins.print = builtins.isinstance = None\n6 * 7", "ok", "42\n"),
        ("import sys\nfor i in range(100): sys.stderr.write('w' * 65536)\nprint('answer 42')", "ok", "answer 42\n"),
        ("while True: print('x' * 1000)", "output", None),
        ("print(open('/etc/shadow').read())", "error", ""),
        ("import os; print(os.path.exists('/boot'), os.path.exists('/home'), os.path.exists('/var'))", "ok", "False False False\n"),
        ("import os; print(os.getuid(), os.getpid() > 1, len(os.listdir('/proc/self/fd')))", "ok", "65534 True 4\n"),
    ],
)  # fmt: skip
def test_statuses(sandbox: Sandbox, program: str, status: str, stdout: str | None) -> None:
    execution = sandbox.run(program)
    assert execution.status == status, execution
    if stdout is not None:
        assert execution.stdout == stdout


@pytest.mark.parametrize(
    "program",
    [
        # Sockets of every family: no network is there, and families that no namespace holds are refused.
        "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
        "import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        # Other processes, namespaces and kernel interfaces.
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.ptrace(16, 1, 0, 0) == 0",
        "import ctypes; l = ctypes.CDLL(None); assert l.unshare(0x10000000) == 0",
        "import ctypes; l = ctypes.CDLL(None); assert l.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
        "import ctypes; l = ctypes.CDLL(None); assert l.shmget(1, 4096, 0o1666) >= 0",
        "import time; time.clock_settime(time.CLOCK_REALTIME, 0)",
        "open('/proc/1/fd/1', 'w').write('{}')",
        "open('/proc/1/mem', 'r+b')",
        "open('/proc/1/environ').read()",
        "open('/usr/planted', 'w')",
        "open('/dev/planted', 'w')",
        "open('/sandbox/stages/execution/zygote.py', 'a')",
        "import os; os.symlink('/etc/passwd', '/tmp/l'); open('/tmp/l').read()",
        "import os; os.link('/usr/bin/env', '/tmp/env')",
        "import os; os.setuid(0)",
    ],
)
def test_what_reaches_outside_is_refused(sandbox: Sandbox, program: str) -> None:
    execution = sandbox.run(program)
    assert execution.status == "error", execution
    assert sandbox.run("print('still here')").stdout == "still here\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import builtins; builtins.len = lambda x: 0", "assert len('abc') == 3"),
        ("import sympy; sympy.sqrt = None", "import sympy; assert sympy.sqrt(4) == 2"),
        ("open('/tmp/sympy.py', 'w').write('raise SystemExit(9)')", "import sympy; assert sympy.Integer(2) == 2"),
        ("open('state.txt', 'w').write('1')", "import os; assert not os.path.exists('state.txt')"),
        ("open('/dev/shm/x', 'w').write('1')", "import os; assert os.listdir('/dev/shm') == []"),
        ("import os; os.makedirs('/tmp/a/b/c'); os.chmod('/tmp/a/b', 0); os.chmod('/tmp/a', 0)", "import os; assert 'a' not in os.listdir('/tmp')"),
        ("import os; os.mkfifo('/tmp/f'); os.symlink('/usr', '/tmp/usr')", "import os; assert {'f', 'usr'}.isdisjoint(os.listdir('/tmp')) and os.listdir('/usr')"),
        ("import os; os.environ['X'] = '1'; os.putenv('Y', '2')", "import os; assert 'X' not in os.environ and 'Y' not in os.environ"),
        ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))", "import os; [os.open('/dev/null', 0) for _ in range(20)]"),
        ("import random; random.seed(1)\nimport sys; sys.setrecursionlimit(50)", "def f(n): return n and f(n - 1)\nf(500)"),
        ("import os\nfor i in range(9):\n    if os.fork() == 0:\n        os.setsid(); import time; time.sleep(60)", "import os; assert len([p for p in os.listdir('/proc') if p.isdigit()]) == 2"),
        ("import ctypes; ctypes.CDLL(None).kill(-1, 9)", "print(1)"),
        ("import os, signal; os.kill(1, signal.SIGSTOP); os.kill(1, signal.SIGINT); os.kill(os.getppid(), 9)", "print(1)"),
    ],
)  # fmt: skip
def test_nothing_is_left_to_the_next_program(sandbox: Sandbox, before: str, after: str) -> None:
    sandbox.run(before)
    execution = sandbox.run(after)
    assert execution.status == "ok", execution


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "statuses"),
    [
        ("while True: pass", {"timeout"}),
        ("import time; time.sleep(60)", {"timeout"}),
        ("import atexit, time; atexit.register(time.sleep, 60); print(1)", {"timeout"}),
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); print(12, flush=True)", {"timeout"}),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", {"timeout"}),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"timeout", "killed", "memory"}),
        ("import threading\nwhile True: threading.Thread(target=threading.Event().wait).start()", {"error", "timeout", "memory"}),
        ("import os\nfor _ in range(8):\n    if os.fork() == 0: break\nb = bytearray(700 << 20)\nb[::4096] = b'1' * len(b[::4096])\nimport time; time.sleep(60)", {"memory", "timeout", "killed"}),
        ("f = open('/tmp/big', 'wb')\nwhile True: f.write(b'x' * 65536)", {"error", "killed"}),
        ("import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass", {"timeout"}),
        ("print(len(str(9 ** (9 ** 9))))", {"timeout", "memory"}),
    ],
)  # fmt: skip
def test_what_does_not_end_is_ended(short: Sandbox, program: str, statuses: set[str]) -> None:
    started = time.monotonic()
    assert short.run(program).status in statuses
    assert time.monotonic() - started < 5
    assert short.run("print('still here')").stdout == "still here\n"


def test_outputs_cross_as_text(sandbox: Sandbox) -> None:
    """Objects are never unpickled, half a character and control codes do no harm, and what was printed is not JSON of ours."""
    execution = sandbox.run('import sys; sys.stdout.buffer.write(b\'a\\x00\\x1b[2J\\xe2\\x82\\n{"status": "ok"}\\n\')')
    assert execution.stdout == 'a\x00\x1b[2J\ufffd\n{"status": "ok"}\n'
    assert "\x1b" not in json.dumps(execution.stdout)


@pytest.mark.parametrize(
    ("program", "stdout", "stderr"),
    [
        ("# " + "\U0001f600" * ((1 << 20) - 20) + "\nprint(1)", "1\n", ""),
        ("print('\u00e9\\n' * 20_000)\nprint(2)", "\u00e9\n" * 20_000 + "\n2\n", ""),
        ("\n\nprint('\\n{\"status\": 1}\\n')\n\n", '\n{"status": 1}\n\n', ""),
        ("import sys\nsys.stderr.write('\u00e9' * 9000); print(3)", "3\n", "\u00e9" * 2000),
        ("import sys\nfor i in range(9): sys.stderr.write(str(i) * (32 << 10)); sys.stderr.flush()", "", "1" * 2000),
        ("print('x' * 65_535)", "x" * 65_535 + "\n", ""),
        ("", "", ""),
        ("import sys; sys.stdout.buffer.write(b'\\xe2\\x82')", "\ufffd", ""),
    ],
)
def test_programs_and_outputs_cross_whole(program: str, stdout: str, stderr: str, sandbox: Sandbox) -> None:
    """Of any size, with line breaks, half characters and lines like the protocol's; the next program's are its own."""
    for _ in range(2):
        execution = sandbox.run(program, is_last=True)
        assert (execution.stdout == stdout, execution.stderr == stderr) == (True, True), str(execution)[:300]
        assert (execution.status, sandbox.run("print(6 * 7)").stdout) == ("ok", "42\n")


def test_the_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with Sandbox() as running:
        execution = running.run("import os; print(dict(os.environ))\nprint(open('/proc/self/environ').read())")
    assert "PYTHONHASHSEED" in execution.stdout
    assert "canary" not in execution.stdout


def test_a_program_draws_the_same_numbers_until_the_salt_changes(sandbox: Sandbox) -> None:
    program = "import random, numpy; print(random.random(), numpy.random.rand())"
    assert sandbox.run(program).stdout == sandbox.run(program).stdout
    assert sandbox.run(program).stdout != sandbox.run(program, salt=1).stdout
    command, environment = [sys.executable, "-c", "print(hash('apple'))"], {"PYTHONHASHSEED": "0"}
    same = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert sandbox.run("print(hash('apple'))").stdout == same, "sets have one order in all interpreters"
    assert (
        sandbox.run("print({'apple', 'pear', 'fig'})").stdout
        == sandbox.run("print({'apple', 'pear', 'fig'})", 1).stdout
    )
    assert may_draw(program)
    assert not may_draw("print(1)")


def test_what_was_left_open_or_written_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output pipes that are closed hide nothing, nor do a family's many processes, or files that take no place."""
    family = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    hidden = "import os\nos.close(1); os.close(2)\nwhile True: pass"
    flood = "import os\nfor i in range(400):\n    os.mkdir(f'd{i}')\n    for j in range(1000): open(f'd{i}/{j}', 'w').close()"
    give(monkeypatch, cpu_seconds=0.4, wall_seconds=30)
    with Sandbox() as running:
        for program in (family, hidden):
            execution = running.run(program)
            assert (execution.status, execution.is_final) == ("timeout", True)
            assert 0.4 < execution.cpu_seconds < 1.2
        assert running.run(flood).status in ("memory", "timeout")
        assert running.run("import os; print(os.listdir('.'))").stdout == "[]\n"


@pytest.fixture(scope="module")
def libraries(sandbox: Sandbox) -> Sandbox:
    """A sandbox whose interpreter with the slow libraries has started."""
    pytest.importorskip("pandas")
    assert sandbox.run("import scipy; print(1)").status == "ok"
    return sandbox


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "stdout"),
    [
        ("import scipy.stats as st\nprint(round(st.norm.cdf(1.96), 3))", "0.975\n"),
        ("from scipy import optimize, integrate\nprint(round(optimize.brentq(lambda x: x - 1, 0, 3), 6))", "1.0\n"),
        ("from scipy import (\n    special,\n    linalg as la,\n)\nprint(special.comb(4, 2), la.det([[1, 0], [0, 2]]))", "6.0 2.0\n"),
        ("import pandas as pd\nprint(pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).groupby('b').sum().a.tolist())", "[1, 2]\n"),
        ("from sklearn.linear_model import *\nprint(LinearRegression().fit([[1], [2]], [1, 2]).coef_.round(6))", "[1.]\n"),
        ("m = __import__('sklearn.cluster').cluster\nprint(m.KMeans(1).fit([[1.0], [3.0]]).cluster_centers_)", "[[2.]]\n"),
        ("import importlib\nprint(importlib.import_module('networkx').path_graph(3).number_of_edges())", "2\n"),
        ("exec('import matplotlib.pyplot as plt')\nplt.plot([1, 2]); plt.savefig('a.png'); plt.show(); print(1)", "1\n"),
        ("import numpy as np, scipy as sp\nprint(sp.spatial.distance.euclidean(np.zeros(2), [3, 4]))", "5.0\n"),
    ],
)  # fmt: skip
def test_slow_libraries_are_no_part_of_a_programs_time(libraries: Sandbox, program: str, stdout: str) -> None:
    """Their first import takes a second of CPU and more, on this machine; and more memory than a program may map."""
    execution = libraries.run(program)
    assert (execution.status, execution.stdout) == ("ok", stdout), execution
    assert execution.cpu_seconds < 0.5


def test_a_module_that_no_interpreter_has_loaded_is_imported_before_the_clock_starts(sandbox: Sandbox) -> None:
    program = "from sympy.physics.mechanics import ReferenceFrame\nprint(ReferenceFrame('N').x)"
    in_disguise = program.replace("from sympy.", "exec('from sym' + 'py.").replace("Frame\n", "Frame')\n", 1)
    named, hidden = sandbox.run(program), sandbox.run(in_disguise)
    assert named.stdout == hidden.stdout == "N.x\n"
    assert named.cpu_seconds < hidden.cpu_seconds / 2


def test_naming_libraries_gives_no_time(short: Sandbox) -> None:
    """Names that are no modules are few and quick; a library that is not there is the program's error."""
    names = "\n".join(f"# sympy.nothing{i} sympy.core.nothing{i}" for i in range(20_000))
    started = time.monotonic()
    assert short.run(f"{names}\nwhile True: pass").status == "timeout"
    assert short.run(f"from {' ' * 100_000}sympy{' from' * 50_000}").status == "error"
    assert time.monotonic() - started < 10
    assert "statsmodel" in short.run("import statsmodel").stderr


@pytest.mark.slow
def test_a_program_finds_the_same_whatever_ran_before(libraries: Sandbox) -> None:
    """Modules, files, random numbers and the memory that is left."""
    look = (
        "import os, resource, sys, random, numpy\nleft = resource.getrlimit(resource.RLIMIT_AS)[0]\n"
        "print(hash(tuple(sorted(sys.modules))), len(sys.modules), os.listdir('/tmp'), random.random(), numpy.random.rand(), left)"
    )
    with Sandbox() as fresh:
        first = fresh.run(look).stdout
        for program in ("import sympy.physics.mechanics", "from sympy.stats import *", "import random; random.seed(3)"):
            fresh.run(program)
        assert fresh.run(look).stdout == first
    assert libraries.run(look).stdout == first, "nor on the interpreter with the libraries"
    looks = [libraries.run(f"import pandas\n{look}").stdout for _ in range(2)]
    libraries.run("import sklearn.impute, scipy.io")
    assert {*looks, libraries.run(f"import pandas\n{look}").stdout} == {looks[0]}
    assert len(looks[0]) > 20


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(executions_module, "CACHE", tmp_path / "executions")
    return tmp_path / "executions"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that are run, each time that they are."""
    ran: list[str] = []
    run = Sandbox.run
    monkeypatch.setattr(Sandbox, "run", lambda self, program, *rest, **named: ran.append(program) or run(self, program, *rest, **named))  # fmt: skip
    return ran


def test_run_programs_keeps_them_apart_and_caches(cache: Path, runs: list[str]) -> None:
    programs = [f"print({i})" for i in range(20)] * 2
    expected = {f"print({i})": f"{i}\n" for i in range(20)}
    for _ in range(2):
        assert {p: e.stdout for p, e in run_programs(programs).items()} == expected
        assert sorted(runs) == sorted(expected)
    assert run_programs([]) == {}
    assert set(run_programs(programs[:1], salt=1)) == {programs[0]}
    assert len(runs) == 21, "another salt is another run"


@pytest.mark.slow
def test_what_the_machine_had_a_part_in_runs_again_and_is_then_kept(
    cache: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole limit of CPU time is a timeout at once; a wait may be the machine's, and so may SIGKILL."""
    give(monkeypatch, cpu_seconds=0.3, wall_seconds=1.0)
    busy, asleep, dead = "while True: pass", "import time; time.sleep(60)", "import os; os.kill(os.getpid(), 9)"
    late = "import time; time.sleep(1.5); print(1)"
    for _ in range(2):
        found = run_programs([busy, asleep, late, dead, "print(2)"])
        assert [execution.status for execution in found.values()] == ["timeout", "timeout", "ok", "killed", "ok"]
    assert sorted(runs) == sorted([asleep, asleep, late, late, dead, dead, "print(2)", *[busy] * runs.count(busy)])
    assert found[asleep].wall_seconds > 2.9


def test_a_fault_of_the_sandbox_is_never_kept(cache: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lost = SimpleNamespace(reply=lambda *_: {}, isolation="bubblewrap", stop=lambda: "")
    monkeypatch.setattr(sandbox_module, "Interpreter", lambda _: lost)
    monkeypatch.setattr(executions_module, "_workers", {})
    for _ in range(2):
        assert run_programs(["print(1)"])["print(1)"].stderr == "the sandbox was lost"
    assert len(runs) == 4
    assert not list(cache.iterdir())


KILLED = """
import sys
from pathlib import Path
from stages.execution import executions, sandbox
executions.CACHE = Path(sys.argv[1])
run, log = sandbox.Sandbox.run, open(sys.argv[2], "a", buffering=1)
def logged(self, program, *rest, **named):
    done = run(self, program, *rest, **named)
    log.write(f"{program}\\n")
    return done
sandbox.Sandbox.run = logged
found = executions.run_programs([f"print({i} * 7)" for i in range(int(sys.argv[3]))])
print(sum(int(execution.stdout) for execution in found.values()))
executions.close_sandboxes()
"""


@pytest.mark.slow
def test_what_had_ended_before_a_kill_is_not_run_again(tmp_path: Path) -> None:
    """`kill -9` at random moments: no program ends twice but those in flight, one a worker; the results are the same."""
    log, count, rng = tmp_path / "log", 200, random.Random(3)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "executions"), str(log), str(count)]
    environment = {**os.environ, "NINECHAPTERS_WORKERS": "2"}
    before, kills = processes_of_sandboxes(), 3
    for _ in range(kills):
        done = log.read_text().count("\n") if log.exists() else 0
        until = done + rng.randrange(1, 60)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        while process.poll() is None and (not log.exists() or log.read_text().count("\n") < until):
            time.sleep(0.002)
        process.kill()
        process.wait()
    last = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(last.stdout) == 7 * sum(range(count))
    ended = log.read_text().splitlines()
    assert len(set(ended)) == count
    assert len(ended) - count <= 2 * kills
    while processes_of_sandboxes() - before:
        time.sleep(0.01)


@pytest.mark.slow
def test_verdicts_do_not_depend_on_the_load(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same alone and beside two busy loops on every CPU: half, nearly all and more than all of the CPU time; waiting."""
    give(monkeypatch, cpu_seconds=0.6, wall_seconds=1.2, patience=10)
    work = "import time\nwhile time.process_time() < {}: pass\nprint(1) # {}"
    programs = [work.format(used, i) for i, used in enumerate((0.3, 0.3, 0.4, 0.4))]
    programs += ["while True: pass", "import time; time.sleep(0.5); print(1)"]
    verdicts = []
    for loops in (0, 2 * len(os.sched_getaffinity(0))):
        monkeypatch.setattr(executions_module, "CACHE", cache / str(loops))
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
        try:
            verdicts.append([(one.status, one.stdout) for one in run_programs(programs).values()])
        finally:
            for process in busy:
                process.kill()
                process.wait()
    assert verdicts[0] == verdicts[1] == [("ok", "1\n")] * 4 + [("timeout", ""), ("ok", "1\n")]


def test_programs_run_while_the_caller_works_and_end_with_it(cache: Path, runs: list[str]) -> None:
    started = start_programs(["print(1)", "print(2)"])
    while not all(future.done() for future in started.futures.values()):
        time.sleep(0.01)  # nobody asks for the results
    assert [execution.stdout for execution in started.results().values()] == ["1\n", "2\n"]
    before = time.monotonic()
    endless = start_programs([f"while True: pass # {i}" for i in range(50)])
    endless.cancel()
    assert time.monotonic() - before < 5
    assert run_programs(["print(3)"])["print(3)"].stdout == "3\n"


@pytest.mark.sandbox
def test_a_sandbox_that_is_killed_as_it_starts_runs_nothing() -> None:
    with Sandbox() as running:
        running.kill()
        running.interpreters.popitem()[1].stop()  # as if it were still to start
        execution = running.run("while True: pass")
        assert (execution.status, execution.is_final) == ("killed", False)
        assert execution.wall_seconds < 4, "the program had five seconds of CPU time"


def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox_module.tool.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="Install it"), Sandbox() as running:
        running.run("print(1)")
    result = CliRunner().invoke(run_program, [__file__])
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[0])["status"] == "refused"
    sandbox_module.tool.cache_clear()


def test_on_an_unknown_architecture_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(SandboxUnavailable, match="vax"), Sandbox():
        pass


def test_unsafe_runs_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = processes_of_sandboxes()
    monkeypatch.setenv(sandbox_module.UNSAFE, "1")
    with Sandbox() as running:
        execution = running.run("print(6 * 7); open('left', 'w').write('x')")
        assert (execution.status, execution.stdout, execution.isolation) == ("ok", "42\n", "none")
        assert running.run("import os; print(os.listdir('.'))").stdout == "[]\n"
        forked = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)"
        assert running.run(forked).status == "ok"
        assert len(processes_of_sandboxes() - before) == 1  # the orphan was ended, this process was not


def planted() -> dict[str, str]:
    """What the hostile programs look for: a secret in the environment and in a file."""
    folder = Path("/tmp/hostile_canary")
    folder.mkdir(exist_ok=True)
    (folder / "secret.txt").write_text("CANARY-FILE-123")
    (folder / "gold.jsonl").write_text("{}")
    return {**os.environ, "SECRET_CANARY": "CANARY-ENV-456"}


def faults_of(line: str, name: str) -> list[str]:
    """How one program's result misses its EXPECT header."""
    result = json.loads(line)
    expected = json.loads((HOSTILE / f"{name}.py").read_text().partition("# EXPECT:")[2].splitlines()[0])
    out, err = result["stdout"], result["stderr"]
    checks = {
        "status": result["status"] in expected["status"], "stdout": out.strip() == expected.get("stdout", out.strip()),
        "stdout_contains": expected.get("stdout_contains", "") in out, "stderr_contains": expected.get("stderr_contains", "") in err,
        "stdout_not_contains": expected.get("stdout_not_contains", "\0\0") not in out,
        "stdout_any": out.strip() in expected.get("stdout_any", [out.strip()]),
        "max_wall_s": result["wall_seconds"] <= expected.get("max_wall_s", 20),
        "max_stdout_bytes": len(out) <= expected.get("max_stdout_bytes", 1 << 20), "isolation": result["isolation"] == "bubblewrap",
    }  # fmt: skip
    return [f"{name}: {check} ({result['status']})" for check, is_met in checks.items() if not is_met]


def in_halves(names: list[str]) -> tuple[list[str], list[str]]:
    """Programs of one number, which belong together, in the same half and in their order."""
    numbers = list(dict.fromkeys(name[:2] for name in names))
    first = set(numbers[::2])
    return [name for name in names if name[:2] in first], [name for name in names if name[:2] not in first]


def started_programs(
    names: list[str], environment: dict[str, str], prefix: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    command = [
        *prefix,
        sys.executable,
        "-m",
        "stages.execution.run_program",
        *(str(HOSTILE / f"{name}.py") for name in names),
    ]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_of(programs: subprocess.Popen[str], names: list[str]) -> dict[str, str]:
    """The line that each program gave."""
    output, errors = programs.communicate(timeout=300)
    lines = output.splitlines()
    assert len(lines) == len(names), errors[-500:]
    assert "\x1b" not in output
    return dict(zip(names, lines, strict=True))


def as_ordinary_user() -> tuple[str, ...]:
    """A command's beginning: as user 12345, in a view of this machine where that user can read the interpreter and the project."""
    roots = ["/usr", "/lib", "/lib64", "/bin", "/etc", sys.prefix, sys.base_prefix, os.getcwd(), str(HOSTILE)]
    present = sorted({os.path.realpath(root) if root == sys.prefix else root for root in roots if Path(root).exists()})
    parents = sorted({str(parent) for root in present for parent in Path(root).parents} - {"/", *present})
    view = [part for parent in parents for part in ("--perms", "0755", "--dir", parent)]
    view += [part for root in present for part in ("--ro-bind", root, root)]
    return (
        "bwrap", "--tmpfs", "/tmp", *view, "--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev", "--chdir", os.getcwd(), "--",
        "setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--no-new-privs",
    )  # fmt: skip


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="this user is no root: the other tests run as an ordinary user anyway"
)


@pytest.fixture(scope="module")
def hostile_lines() -> dict[str, dict[str, str]]:
    """What each hostile program gave, for each user; no process is left.

    Two sandboxes for a user, all beside each other: they mostly wait for their programs' time to pass.
    """
    names = json.loads((HOSTILE / "index.json").read_text())
    users = {"own": (), "ordinary": as_ordinary_user()} if os.geteuid() == 0 else {"own": ()}
    before, environment = processes_of_sandboxes(), planted()
    running = [
        (user, half, started_programs(half, environment, prefix))
        for user, prefix in users.items()
        for half in in_halves(names)
    ]
    lines: dict[str, dict[str, str]] = {user: {} for user in users}
    with ThreadPoolExecutor(len(running)) as pool:
        for (user, *_), found in zip(running, pool.map(lambda one: lines_of(one[2], one[1]), running), strict=True):
            lines[user] |= found
    assert not processes_of_sandboxes() - before
    assert all(found.keys() == set(names) for found in lines.values())
    return lines


@needs_hostile
@pytest.mark.slow
@pytest.mark.parametrize("user", ["own", pytest.param("ordinary", marks=needs_root)])
def test_all_hostile_programs_meet_their_expectations(user: str, hostile_lines: dict[str, dict[str, str]]) -> None:
    lines = hostile_lines[user]
    assert [fault for name, line in lines.items() for fault in faults_of(line, name)] == []
    assert json.loads(lines["49_random_unseeded"])["is_chance"]
    assert not json.loads(lines["47_hash_order"])["is_chance"]
    assert sorted(os.listdir("/tmp/hostile_canary")) == ["gold.jsonl", "secret.txt"]


@pytest.mark.slow
def test_nothing_is_left_after_many_programs_in_random_order() -> None:
    """A part of what bench/sandbox_speed runs 2,000 times: good, wrong, leaving and killing programs, mixed."""
    kinds = [
        "print(1)",
        "1/0",
        "open('x', 'w')",
        "import os; os.fork()",
        "import os; os.kill(os.getppid(), 9)",
        "import os; os.abort()",
    ]
    programs = random.Random(1).choices(kinds, k=200)
    before = processes_of_sandboxes()
    with Sandbox() as running:
        for program in programs:
            expected = {"print(1)": "ok", "1/0": "error", "open('x', 'w')": "ok", "import os; os.abort()": "killed"}
            assert running.run(program).status == expected.get(program, "ok"), program
        look = "import os; print('x' in os.listdir('/tmp'), len([p for p in os.listdir('/proc') if p.isdigit()]))"
        assert running.run(look).stdout == "False 2\n"
    assert not processes_of_sandboxes() - before


def test_run_program_prints_a_line_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print('é')")
    (tmp_path / "b.py").write_bytes(b"print('\xff')")
    result = CliRunner().invoke(run_program, [str(tmp_path / "a.py"), str(tmp_path / "b.py")])
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["status"], first["stdout"], first["isolation"]) == ("ok", "é\n", "bubblewrap")
    assert second["status"] == "error"
    assert "no such file" in CliRunner().invoke(run_program, ["missing.py"]).output.lower().replace(
        "does not exist", "no such file"
    )


def test_the_command_gives_up_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "setpriv" in " ".join(sandbox_command(3))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "setpriv" not in " ".join(sandbox_command(3))
