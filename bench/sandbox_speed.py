"""Programs a second in the sandbox, on every CPU, and that nothing is left over after thousands in random order.

    python -m bench.sandbox_speed             # 2,000 programs of each kind, 2,000 of all kinds mixed
    python -m bench.sandbox_speed --quick     # 300

CPU milliseconds a program are those of this process and its sandboxes, interpreters that had started already, so they compare on a
machine that does other work, where programs a second do not. Trivial programs print a number; sympy programs compute with fractions, solve a linear system and a quadratic (40 ms within
sympy itself), factor, expand and differentiate, in turn; the mixed ones also fail, leave files and
processes, kill their parent, print too much, and hang (with a short limit). Prints one JSON object on the last line.
"""

import json
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import click

from bench.sandbox_scale import cpu_seconds
from stages.execution import executions, sandbox
from stages.execution.executions import run_programs

SYMPY = (
    "from sympy import Rational\n\ndef share():\n    return Rational({n}, 7) * 3 + 1\n\nprint(share())",
    "from sympy import symbols, Eq, solve\nx, y = symbols('x y')\nprint(solve([Eq(x + y, {n}), Eq(x - y, 4)], [x, y]))",
    "from sympy import factorint, gcd\nprint(factorint({n} * 360), gcd({n}, 84))",
    "import sympy as sp\nx = sp.symbols('x')\nprint(sp.expand((x + {n})**3), sp.diff(x**3 + {n}*x, x))",
    "from sympy import symbols, solve, Eq\nx = symbols('x')\nprint(solve(Eq(x**2 - {n}*x + 1, 0), x))",
)
MIXED = {
    "print({n})": "ok", "1/0 # {n}": "error", "from sympy import sqrt; print(sqrt({n}))": "ok", "open('f{n}', 'w').write('x'); print(1)": "ok",
    "import os # {n}\nif os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(99)": "ok", "import os; os.kill(os.getppid(), 9) # {n}": "ok",
    "import os; os.abort() # {n}": "killed", "while True: print('x' * 999) # {n}": "output", "x = bytearray(3 << 30) # {n}": "memory",
    "import os; os.makedirs('/tmp/a/b'); os.chmod('/tmp/a', 0) # {n}": "ok", "while {n} >= 0: pass": "timeout",
}  # fmt: skip


def rates_of(kind: str, programs: list[str]) -> dict[str, float]:
    """Programs a second, and CPU milliseconds a program."""
    before, started = cpu_seconds(), time.perf_counter()
    results = run_programs(programs, "bench")
    seconds, used = time.perf_counter() - started, cpu_seconds() - before
    wrong = Counter(result.status for result in results.values() if result.status != "ok")
    assert not wrong, wrong
    per_program = {"per_second": len(programs) / seconds, "cpu_ms": 1000 * used / len(programs)}
    return {f"{kind}_{name}": round(figure, 2) for name, figure in per_program.items()}


def zygotes() -> set[str]:
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if b"zygote.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
        except OSError:
            continue
    return found


@click.command()
@click.option("--quick", is_flag=True, help="300 of each.")
def main(quick: bool) -> None:
    """Run the programs; print one JSON object on the last line."""
    count = 300 if quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        executions.CACHE = Path(folder) / "executions"
        before = zygotes()
        run_programs([f"print(-{n})" for n in range(1, 9)], "bench: start")
        figures = rates_of("trivial", [f"print({n})" for n in range(count)])
        figures |= rates_of("sympy", [SYMPY[n % len(SYMPY)].format(n=n) for n in range(3, count + 3)])
        sandbox.CPU_SECONDS, sandbox.WALL_SECONDS = 0.4, 0.8
        rng = random.Random(1)
        kinds = rng.choices(list(MIXED), weights=[6, 3, 3, 3, 3, 3, 2, 1, 1, 2, 0.3], k=count)
        mixed = {program.format(n=number): MIXED[program] for number, program in enumerate(kinds)}
        results = run_programs(mixed, "bench: mixed")
        executions.close_sandboxes()
        wrong = Counter(
            (status, results[program].status) for program, status in mixed.items() if results[program].status != status
        )
        figures |= {
            "num_mixed": len(mixed),
            "num_unexpected": sum(wrong.values()),
            "num_left_over": len(zygotes() - before),
        }
    print(json.dumps(figures | ({"unexpected": [f"{a} was {b}: {n}" for (a, b), n in wrong.items()]} if wrong else {})))


if __name__ == "__main__":
    main()
