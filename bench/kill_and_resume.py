"""A distillation that is killed again and again, on a server that fails in every way: what is paid twice?

    python -m bench.kill_and_resume              # 10,000 requests, 50 kills
    python -m bench.kill_and_resume --quick      # 600 requests, 4 kills

A process buys from a loopback server (429 with and without Retry-After, 500, 503, connections dropped in mid-body,
malformed JSON, no choices, content filter) and gets `kill -9` at random moments; it is started again each time. Another
ledger buys the same from a server without faults, unbroken. Prints one JSON object: answers paid twice, calls that were
in flight at the kills, and whether both completions files are the same bytes.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bench.teacher_overhead import ROOT, write_inputs
from stages.distillation.ledger import Ledger
from tests.fault_server import FaultServer, running_server

FAULTS = dict.fromkeys(("429", "429_after", "429_date", "500", "503", "drop", "malformed", "no_choices"), 0.02)
CONCURRENCY = 64


def start(folder: Path, ledger: Path, out: str, server: FaultServer) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none", "LEDGER_DIR": str(ledger),
        "TEACHER_LIVE": "1", "TEACHER_BUDGET_USD": "1000", "TEACHER_CONCURRENCY": str(CONCURRENCY),
    }  # fmt: skip
    command = [sys.executable, "-m", "stages.distillation.distill", "requests.parquet", out]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)


def kill_again_and_again(folder: Path, server: FaultServer, count: int, kills: int) -> dict[str, int]:
    """Kill the run after random numbers of answers; returns what was in flight at the kills, and the runs."""
    rng, done = random.Random(1), 0
    while True:
        process = start(folder, folder / "killed", "killed.parquet", server)
        until = len(server.delivered) + rng.randrange(1, int(1.6 * count / (kills + 1))) if done < kills else 10 * count
        while process.poll() is None and len(server.delivered) < until:
            time.sleep(0.001)
        if process.poll() is not None:
            assert process.returncode == 0, "a run that was not killed failed"
            open_calls = sum(row["kind"] == "sent" for row, _ in Ledger([folder / "killed"]).costs())
            return {"kills": done, "in_flight_at_kills": open_calls}
        process.kill()
        process.wait()
        done += 1


@click.command()
@click.option("--quick", is_flag=True, help="600 requests and 4 kills instead of 10,000 and 50.")
def main(quick: bool) -> None:
    """Kill, resume, compare."""
    count, kills = (600, 4) if quick else (10_000, 50)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, count)
        with running_server(latency=0.02, faults=FAULTS, seed=1) as server:
            figures = kill_again_and_again(folder, server, count, kills)
            twice = server.delivered.total() - len(server.delivered)
        with running_server() as unbroken:
            start(folder, folder / "unbroken", "unbroken.parquet", unbroken).wait()
        same = (folder / "killed.parquet").read_bytes() == (folder / "unbroken.parquet").read_bytes()
        spent = Ledger([folder / "killed"]).spent_usd()
    print(json.dumps({
        "requests": count, **figures, "answers_paid_twice": twice, "answered": len(server.delivered), "calls": server.num_calls,
        "same_bytes_as_unbroken": same, "usd_counted": round(spent, 4),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
