"""100,000 programs of the released samples' kind through the sandboxes of every core, and what is kept of them.

    python -m bench.sandbox_scale --samples ../shared/data/samples            # 100,000 programs, the time grows with them
    python -m bench.sandbox_scale --samples ../shared/data/samples --quick    # 1,000

The programs are those of the released samples, over and over, each made different by a comment, so none is known before. They are
given out as a filter does, in shards of 5,000, the next begun while the last one ends. CPU seconds are those of this process and
its sandboxes, so they say what a program costs also on a machine that does other work; `cores_busy_frac` is that of the whole
machine. `again_per_second` reads kept results, in a process of its own. Prints one JSON object on the last line.
"""

import itertools
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import psutil

from stages.execution import executions
from stages.execution.executions import StartedPrograms, close_sandboxes, start_programs

PROGRAM = re.compile(r"```python\n(.*?)\n?```", re.DOTALL)
SHARD = 5000
AGAIN = """
import sys, time
from pathlib import Path
from bench.sandbox_scale import programs_of
from stages.execution import executions
executions.CACHE = Path(sys.argv[1])
programs = programs_of(Path(sys.argv[2]), int(sys.argv[3]))
executions._run_all = lambda *_: sys.exit("a kept result is made again")
started = time.perf_counter()
executions.start_programs(programs[:1])
opened = time.perf_counter()
executions.start_programs(programs)
print(opened - started, len(programs) / (time.perf_counter() - opened))
"""


def programs_of(samples: Path, count: int) -> list[str]:
    """So many programs, in a fixed random order."""
    found = []
    for path in sorted(samples.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found += PROGRAM.findall(json.loads(line)["output"])
    if not found:
        raise click.ClickException(f"{samples}/*.jsonl hold no program: give the folder of the released samples.")
    cycle = itertools.cycle(found)
    programs = [f"{next(cycle)}\n# {number}" for number in range(count)]
    random.Random(1).shuffle(programs)
    return programs


def cpu_seconds() -> float:
    """Of this process and all that it started, those that have ended there included."""
    own = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in (own, *own.children(recursive=True)))


def statuses_of(programs: list[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    last: StartedPrograms | None = None
    for started in (*_started(programs), None):
        if last:
            counts.update(execution.status for execution in last.results().values())
        last = started
    return counts


def _started(programs: list[str]) -> Iterator[StartedPrograms]:
    for start in range(0, len(programs), SHARD):
        yield start_programs(programs[start : start + SHARD], f"programs from {start:,}")


def again(folder: Path, samples: Path, count: int) -> list[float]:
    """Seconds until kept results can be read, and how many are read a second."""
    command = [sys.executable, "-c", AGAIN, str(folder), str(samples), str(count)]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [float(word) for word in words]


@click.command()
@click.option("--samples", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--quick", is_flag=True, help="1,000 programs.")
@click.option("--count", default=0, help="So many programs.")
def main(samples: Path, quick: bool, count: int) -> None:
    """Run the programs; print one JSON object on the last line."""
    count = count or (1000 if quick else 100_000)
    programs, cores = programs_of(samples, count), psutil.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        executions.CACHE = Path(folder) / "executions"
        start_programs(
            ["print(1)", "import scipy; print(1)"] * 4
        ).results()  # warm: an interpreter starts in seconds, once
        before, own, machine, started = (
            cpu_seconds(),
            psutil.Process().cpu_times(),
            psutil.cpu_times(),
            time.perf_counter(),
        )
        counts = statuses_of(programs)
        seconds = time.perf_counter() - started
        used, now = cpu_seconds() - before, psutil.cpu_times()
        parent = sum(psutil.Process().cpu_times()[:2]) - sum(own[:2])
        idle = now.idle + now.iowait - machine.idle - machine.iowait
        close_sandboxes()
        kept = list(executions.CACHE.iterdir())
        opened, per_second = again(executions.CACHE, samples, count)
        figures = {
            "num_programs": count, "cores": cores, "seconds": round(seconds, 1), "programs_per_second": round(count / seconds, 1),
            "cpu_ms_per_program": round(1000 * used / count, 1), "parent_cpu_ms_per_program": round(1000 * parent / count, 2),
            "own_cores_frac": round(used / seconds / cores, 3), "cores_busy_frac": round(1 - idle / seconds / cores, 3),
            "statuses": dict(counts.most_common()), "peak_parent_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "kept_files": len(kept), "kept_mb": round(sum(path.stat().st_size for path in kept) / 1e6, 1),
            "open_seconds": round(opened, 3), "again_per_second": round(per_second),
        }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
