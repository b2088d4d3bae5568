"""Buying answers: each paid once whatever fails, stops that are clear, batches that survive, keys that leak nowhere."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stages.core.tables import read_table, write_table
from stages.distillation.account import account, rounds_of
from stages.distillation.distill import main as distill
from stages.distillation.estimate import main as estimate_command
from stages.distillation.estimation import estimate
from stages.distillation.import_completions import main as import_completions
from stages.distillation.ledger import Ledger, whole_ledger
from stages.distillation.purchase import Request
from stages.distillation.requests import request_key
from stages.distillation.status import main as status_command
from tests.conftest import ROOT
from tests.fault_server import FaultServer, running_server
from tests.tiny import tiny_tokenizer

MODEL = "gpt-4o-mini-2024-07-18"
CANARY = "sk-canary-4f1d9c0b7e"


def write_requests(path: Path, count: int, first: int = 0, bad: int = -1) -> Path:
    rows = []
    for i in range(first, first + count):
        messages = [{"role": "user", "content": "BAD REQUEST" if i == bad else f"Write problem {i}."}]
        sampling = {"model": MODEL, "temperature": 0.6, "max_tokens": 200}
        rows.append({
            "request_id": request_key(MODEL, messages, sampling, 0), "round": "initial", "text_id": f"t{i}", "prompt": "grade",
            "mode": "cot", "messages": json.dumps(messages), "sampling": json.dumps(sampling),
        })  # fmt: skip
    write_table("requests", rows, path)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with its own ledger, a key and no server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    for name in ("TEACHER_LIVE", "TEACHER_BUDGET_USD", "LEDGER_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.distillation.chat.FIRST_BACKOFF", 0.01)


def buy(requests: Path, server: FaultServer, *options: str, budget: float = 100.0) -> Result:
    command = [str(requests), str(requests.with_name("completions.parquet")), "--live", "--budget-usd", str(budget)]
    environment = {"OPENAI_BASE_URL": server.url}
    return CliRunner().invoke(distill, [*command, *options], env=environment)


def completions(folder: Path) -> list[dict]:
    return read_table("completions", folder / "completions.parquet")


def test_replay_is_the_default_and_names_the_price_and_the_ways_out(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 5)
    result = CliRunner().invoke(distill, [str(requests), str(place / "completions.parquet")])
    assert result.exit_code == 1
    for word in ("5 of the requests", "USD", "TEACHER_LIVE=1", "dvc pull data/ledger"):
        assert word in result.output
    assert not (place / "completions.parquet").exists()
    result = CliRunner().invoke(distill, [str(requests), "out.parquet", "--live"])
    assert "TEACHER_BUDGET_USD" in result.output


@pytest.mark.usefixtures("quick")
def test_every_fault_heals_and_each_answer_is_paid_once(place: Path) -> None:
    faults = dict.fromkeys(
        ("429", "429_after", "429_date", "500", "503", "drop", "malformed", "no_choices", "content_filter"), 0.04
    )
    requests = write_requests(place / "requests.parquet", 300)
    with running_server(faults=faults, seed=1) as server:
        result = buy(requests, server, "--concurrency", "32")
    assert result.exit_code == 0, result.output
    assert len(completions(place)) == 300
    assert set(server.delivered.values()) == {1}
    assert len(server.delivered) == 300
    reasons = {row["reason"] for _, row in Ledger([place / ".ledger"]).rows() if row["kind"] == "failure"}
    assert {"429", "500", "503", "connection_lost", "malformed", "no_choice"} <= reasons
    assert {row["finish_reason"] for row in completions(place)} == {"stop", "content_filter"}
    again = CliRunner().invoke(distill, [str(requests), str(place / "again.parquet")])
    assert again.exit_code == 0, "everything is in the ledger: no live mode needed"
    assert (place / "again.parquet").read_bytes() == (place / "completions.parquet").read_bytes()


@pytest.mark.usefixtures("quick")
def test_a_hanging_server_is_left_after_its_time(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 20)
    with running_server(faults={"hang": 0.3}, seed=3) as server:
        result = buy(requests, server, "--timeout", "0.3")
    assert result.exit_code == 0, result.output
    timeouts = [row for _, row in Ledger([place / ".ledger"]).rows() if row.get("reason") == "timeout"]
    assert timeouts
    assert all(row["usd"] > 0 for row in timeouts), "a call that timed out may have been billed"


def budget_run(folder: Path, seed: int) -> dict[str, float]:
    """A purchase with random budget, concurrency and faults in `folder`: what it had, spent and bought; checked."""
    rng = random.Random(seed)
    budget, concurrency = rng.uniform(0.0002, 0.001), rng.choice([1, 2, 8, 64, 256])
    requests = write_requests(folder / "requests.parquet", 60)
    os.chdir(folder)
    with running_server(faults={"500": 0.1, "drop": 0.05, "no_choices": 0.05}, seed=seed) as server:
        result = buy(requests, server, "--concurrency", str(concurrency), budget=budget)
    ledger = Ledger([folder / ".ledger"])
    assert ledger.spent_usd() <= budget + 1e-12
    assert result.exit_code == 1
    assert "the budget is reached" in result.output
    bought = ledger.answers({row["request_id"] for row in read_table("requests", requests)})
    assert len(bought) == len(server.delivered)
    assert f"{60 - len(bought)} requests are not answered" in result.output
    return {"budget": budget, "concurrency": concurrency, "spent": ledger.spent_usd(), "bought": len(bought)}


def test_spending_never_passes_the_budget_on_a_server(place: Path) -> None:
    """What may have been billed stays within the budget at any concurrency; answers are kept, the rest is named."""
    for seed in range(12):
        (place / str(seed)).mkdir()
        budget_run(place / str(seed), seed)


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (401, "", "OPENAI_API_KEY"),
        (403, "", "forbids"),
        (404, "", "does not know the model"),
        (429, "insufficient_quota", "quota"),
    ],
)
def test_what_cannot_heal_stops_at_once_without_the_key(place: Path, status: int, code: str, word: str) -> None:
    requests = write_requests(place / "requests.parquet", 50)
    with running_server(status=status, code=code) as server:
        result = buy(requests, server, "--concurrency", "4")
    assert result.exit_code == 1
    assert word in result.output
    assert CANARY not in result.output
    assert server.num_calls <= 4
    assert Ledger([place / ".ledger"]).spent_usd() == 0.0


def test_one_bad_request_loses_only_itself(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40, bad=7)
    with running_server() as server:
        result = buy(requests, server)
        assert result.exit_code == 0, result.output
        rows = completions(place)
        assert [row["finish_reason"] for row in rows].count("rejected") == 1
        assert "not allowed" in rows[7]["completion"]
        calls = server.num_calls
        assert buy(requests, server).exit_code == 0
        assert server.num_calls == calls, "a rejected request is not asked again"


def test_a_server_that_rejects_everything_is_our_fault(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40)
    with running_server(status=400) as server:
        result = buy(requests, server, "--concurrency", "2")
    assert "rejects every request" in result.output
    assert server.num_calls < 10
    assert not Ledger([place / ".ledger"]).answers({row["request_id"] for row in read_table("requests", requests)})


def test_only_new_requests_are_paid(place: Path) -> None:
    with running_server() as server:
        assert buy(write_requests(place / "requests.parquet", 30), server).exit_code == 0
        assert buy(write_requests(place / "requests.parquet", 31), server).exit_code == 0
    assert server.delivered.total() == 31


def test_no_server_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.distillation.chat.MAX_ATTEMPTS", 2)
    monkeypatch.setattr("stages.distillation.chat.FIRST_BACKOFF", 0.01)
    requests = write_requests(place / "requests.parquet", 3)
    command = [str(requests), str(place / "completions.parquet"), "--live", "--budget-usd", "1"]
    result = CliRunner().invoke(distill, command)
    assert "no_connection" in result.output
    assert "127.0.0.1" in result.output
    assert Ledger([place / ".ledger"]).spent_usd() == 0.0, "a refused connection costs nothing"


BUY = [sys.executable, "-m", "stages.distillation.distill"]


def test_killed_at_random_moments_it_ends_with_the_same_bytes(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 400)
    rng, concurrency, most_twice = random.Random(2), 16, 0
    with running_server(latency=0.02) as server:
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "TEACHER_LIVE": "1",
            "TEACHER_BUDGET_USD": "100", "TEACHER_CONCURRENCY": str(concurrency),
        }  # fmt: skip
        for _ in range(5):
            process = subprocess.Popen(
                [*BUY, requests, "completions.parquet"], env=environment, stderr=subprocess.DEVNULL
            )
            reached = len(server.delivered) + rng.randrange(20, 70)
            while process.poll() is None and len(server.delivered) < reached:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.wait()
            most_twice += concurrency
            assert server.delivered.total() - len(server.delivered) <= most_twice
        subprocess.run([*BUY, requests, "completions.parquet"], env=environment, check=True, stderr=subprocess.DEVNULL)
    killed = (place / "completions.parquet").read_bytes()
    os.chdir(place / "..")
    with running_server() as server:
        environment |= {"OPENAI_BASE_URL": server.url, "LEDGER_DIR": str(place / "other")}
        subprocess.run(
            [*BUY, requests, place / "unbroken.parquet"], env=environment, check=True, stderr=subprocess.DEVNULL
        )
    assert (place / "unbroken.parquet").read_bytes() == killed


BATCH = ("--via", "batch", "--poll", "0.01")


def test_batches_cost_half_and_ask_failures_again(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 50, bad=3)
    with running_server(batch_share=0.7, seed=4) as server:
        result = buy(requests, server, *BATCH, "--batch-size", "20")
    assert result.exit_code == 0, result.output
    assert set(server.delivered.values()) == {1}
    rows = completions(place)
    assert [row["finish_reason"] for row in rows].count("rejected") == 1
    chat = sum(
        0.15 * (r["prompt_tokens"] - r["cached_tokens"]) + 0.075 * r["cached_tokens"] + 0.6 * r["completion_tokens"]
        for r in rows
    )
    assert sum(row["usd"] for row in rows) == pytest.approx(chat / 1e6 / 2)


def test_an_expired_batch_keeps_its_answers(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40)
    with running_server(batch_share=0.5, batch_status="expired", seed=2) as server:
        result = buy(requests, server, *BATCH)
    assert set(server.delivered.values()) == {1}
    found = Ledger([place / ".ledger"]).answers({row["request_id"] for row in read_table("requests", requests)})
    assert len(found) == len(server.delivered) >= 30
    assert ("not answered" in result.output) == (len(found) < 40)


def test_a_batch_is_found_again_after_a_kill(place: Path) -> None:
    """Killed while waiting, the ledger knows it; killed before the ledger knew it, the server's list has its name."""
    requests = write_requests(place / "requests.parquet", 30)
    with running_server(batch_polls=10**9) as server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "TEACHER_LIVE": "1",
                       "TEACHER_BUDGET_USD": "9", "TEACHER_VIA": "batch", "TEACHER_POLL": "0.01"}  # fmt: skip
        for is_known in (True, False):
            process = subprocess.Popen(
                [*BUY, requests, "completions.parquet"], env=environment, stderr=subprocess.DEVNULL
            )
            while not any(batch["polls"] > 3 * (1 + is_known) for batch in server.batches.values()):
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
            process.wait()
            assert len(server.batches) == 1
            if is_known:
                for path in (place / ".ledger").glob("*.jsonl"):
                    path.unlink()  # as if the kill had come before the id was written
        server.batch_polls = 0
        assert buy(requests, server, *BATCH).exit_code == 0
    assert len(server.batches) == 1
    assert server.delivered.total() == 30
    assert Ledger([place / ".ledger"]).open_batches() == {}


def test_the_budget_holds_for_batches(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 50)
    with running_server() as server:
        result = buy(requests, server, *BATCH, budget=0.0004)
    assert "the budget is reached" in result.output
    assert 0 < server.delivered.total() < 50
    assert Ledger([place / ".ledger"]).spent_usd() <= 0.0004


def test_a_ledger_is_refilled_from_completions_and_batch_outputs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = write_requests(place / "requests.parquet", 12)
    with running_server() as server:
        buy(requests, server)
        batch = next(iter(server.files), None)
    bought = (place / "completions.parquet").read_bytes()
    assert batch is None
    monkeypatch.setenv("LEDGER_DIR", str(place / "refilled"))
    result = CliRunner().invoke(import_completions, [str(requests), str(place / "completions.parquet")])
    assert "added 12" in result.output
    assert (
        "12 were there"
        in CliRunner().invoke(import_completions, [str(requests), str(place / "completions.parquet")]).output
    )
    assert CliRunner().invoke(distill, [str(requests), str(place / "replayed.parquet")]).exit_code == 0
    assert (place / "replayed.parquet").read_bytes() == bought
    assert Ledger([place / "refilled"]).spent_usd() == 0.0
    (place / "bad.jsonl").write_text('{"custom_id": "x"}\nnot json\n')
    result = CliRunner().invoke(import_completions, [str(requests), str(place / "bad.jsonl")])
    assert "bad.jsonl:2" in result.output


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
    assert "a bug" in seen
    assert "Traceback" in seen
    assert "does not accept the key" in seen
    assert process.returncode == 0
    files = [path for path in place.rglob("*") if path.is_file()]
    assert len(files) > 4
    for content in [seen.encode(), *(path.read_bytes() for path in files)]:
        assert CANARY.encode() not in content


def test_the_small_commands_tell_what_is_bought_and_missing(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 30, bad=4)
    result = CliRunner().invoke(estimate_command, [str(requests)])
    assert result.exit_code == 0, result.output
    assert "batch" in result.output
    with running_server(faults={"drop": 0.2}, seed=2) as server:
        assert buy(requests, server).exit_code == 0
    assert "nothing to buy" in CliRunner().invoke(estimate_command, [str(requests)]).output
    write_requests(requests, 33, bad=4)
    result = CliRunner().invoke(status_command, [str(requests)])
    assert result.exit_code == 0, result.output
    (record,) = [r for r in account(whole_ledger(), rounds_of([requests])) if r["model"] == MODEL]
    assert (record["round"], record["answers"], record["rejected"]) == ("initial", 30, 1)
    assert record["failures"] > 0
    assert record["wasted usd"] > 0
    assert record["usd"] == pytest.approx(whole_ledger().spent_usd())
    assert record["double usd"] == 0


def test_prompts_are_counted_by_the_teachers_tokenizer_where_it_is_known(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(place / "tokenizer")
    asked = [Request.from_row(row) for row in read_table("requests", write_requests(place / "requests.parquet", 4))]
    by_characters = estimate(asked, False, Ledger([]))
    monkeypatch.setenv("TEACHER_TOKENIZER", str(place / "tokenizer"))
    counted = estimate(asked, False, Ledger([]))
    exact = sum(len(tokenizer(r.messages[0]["content"], add_special_tokens=False)["input_ids"]) for r in asked)
    assert set(counted.prompt_tokens.values()) == {exact}
    assert len(set(by_characters.prompt_tokens.values())) == 3
    assert counted.usd["low"] < counted.usd["likely"] < counted.usd["high"]
    assert counted.minutes(requests_per_minute=2, tokens_per_minute=10**9) == 2.0


def test_a_full_disk_stops_with_one_sentence(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = write_requests(place / "requests.parquet", 30)
    real = os.write

    def write(file: int, line: bytes) -> int:
        if b'"kind":"answer"' in line and b"problem 9" in line:
            raise OSError(28, "No space left on device")
        return real(file, line)

    monkeypatch.setattr(os, "write", write)
    with running_server() as server:
        result = buy(requests, server, "--concurrency", "4")
        monkeypatch.undo()
        assert result.exit_code == 1
        assert "The disk is full" in result.output
        assert "Traceback" not in result.output
        monkeypatch.chdir(place)
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        assert buy(requests, server).exit_code == 0
    assert server.delivered.total() <= 30 + 4


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
