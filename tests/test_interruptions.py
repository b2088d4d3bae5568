"""Kills, interrupts and crashes: what is bought is kept, nothing is paid twice but what was under way, no key leaks."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.core.tables import read_table
from stages.distillation.ledger import Ledger
from tests.buying import BUY, CANARY, write_requests
from tests.conftest import ROOT
from tests.fault_server import running_server, written_ways
from tests.forked import Forked

pytestmark = pytest.mark.slow


def start_forked(requests: Path, out: str, environment: dict[str, str]) -> Forked:
    return Forked([*BUY[1:], str(requests), out], environment=environment)


@pytest.mark.usefixtures("fork_server")
def test_killed_at_random_moments_it_ends_with_the_same_bytes(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 400)
    rng, concurrency, most_twice = random.Random(2), 16, 0
    with running_server(latency=0.02) as server:
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "TEACHER_LIVE": "1",
            "TEACHER_BUDGET_USD": "100", "TEACHER_CONCURRENCY": str(concurrency),
        }  # fmt: skip
        for _ in range(5):
            process = start_forked(requests, "completions.parquet", environment)
            reached = len(server.delivered) + rng.randrange(20, 70)
            while process.poll() is None and len(server.delivered) < reached:
                time.sleep(0.002)
            process.kill()
            process.wait()
            most_twice += concurrency
            assert server.delivered.total() - len(server.delivered) <= most_twice
        assert start_forked(requests, "completions.parquet", environment).wait() == 0
    killed = (place / "completions.parquet").read_bytes()
    os.chdir(place / "..")
    with running_server() as server:
        environment |= {"OPENAI_BASE_URL": server.url, "LEDGER_DIR": str(place / "other")}
        assert start_forked(requests, str(place / "unbroken.parquet"), environment).wait() == 0
    assert (place / "unbroken.parquet").read_bytes() == killed


CRASH = """
import sys
from stages.distillation import purchase
def crash(*_):
    raise RuntimeError("a bug")
purchase.Purchase.record = crash
from stages.distillation.distill import main
main()
"""


def test_the_key_is_nowhere_after_success_failure_and_crash(place: Path) -> None:
    """Searched: every file, all output, and the arguments of the process while it runs."""
    requests = write_requests(place / "requests.parquet", 60)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TEACHER_LIVE": "1",
        "TEACHER_BUDGET_USD": "9",
        "TEACHER_CONCURRENCY": "4",
    }
    assert environment["OPENAI_API_KEY"] == CANARY
    seen = ""
    for command, options in (
        (BUY, {"status": 401}),
        (BUY, {"status": 429, "code": "insufficient_quota"}),
        (BUY, {"status": 400}),
        ([sys.executable, "-c", CRASH], {}),
        (BUY, {"latency": 0.02}),
    ):
        with running_server(**options) as server:
            process = subprocess.Popen(
                [*command, str(requests), "out.parquet"], env={**environment, "OPENAI_BASE_URL": server.url}, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            while process.poll() is None and not server.num_calls:
                time.sleep(0.005)
            seen += Path(f"/proc/{process.pid}/cmdline").read_text() if process.poll() is None else ""
            seen += process.communicate()[0]
    other = write_requests(place / "other.parquet", 5, first=100)
    with running_server(echo=True) as server:
        told = {**environment, "OPENAI_BASE_URL": server.url}
        seen += subprocess.run(
            [*BUY, str(other), "other-out.parquet"], env=told, capture_output=True, text=True, check=True
        ).stderr
    assert "[key]" in str(read_table("completions", place / "other-out.parquet"))
    assert "a bug" in seen
    assert "Traceback" in seen
    assert "does not accept the key" in seen
    assert process.returncode == 0
    files = [path for path in place.rglob("*") if path.is_file()]
    assert len(files) > 4
    for content in [seen.encode(), *(path.read_bytes() for path in files)]:
        for form in written_ways(CANARY):
            assert form.encode() not in content
    assert "\x1b" not in seen


def test_a_run_that_waits_for_a_dead_server_stops_at_once(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 5)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TEACHER_LIVE": "1", "TEACHER_BUDGET_USD": "9"}
    process = subprocess.Popen([*BUY, requests, "out.parquet"], env=environment, stderr=subprocess.DEVNULL)
    while not any(row["kind"] == "failure" for _, row in Ledger([place / ".ledger"]).rows()):
        time.sleep(0.05)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 1


def test_an_interrupted_run_keeps_what_was_under_way(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 300)
    with running_server(latency=0.1) as server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "TEACHER_LIVE": "1",
                       "TEACHER_BUDGET_USD": "9", "TEACHER_CONCURRENCY": "16"}  # fmt: skip
        process = subprocess.Popen([*BUY, requests, "out.parquet"], env=environment, stderr=subprocess.PIPE, text=True)
        while len(server.delivered) < 40:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "interrupted" in errors
    bought = Ledger([place / ".ledger"]).answers({row["request_id"] for row in read_table("requests", requests)})
    assert len(bought) == len(server.delivered) == server.delivered.total() < 300
