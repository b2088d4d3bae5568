"""Chat Completions: each answer paid once whatever fails, within the budget, with stops that are clear."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.tables import read_table
from stages.distillation.distill import main as distill
from stages.distillation.ledger import Ledger
from tests.buying import CANARY, budget_run, buy, completions, write_requests
from tests.fault_server import running_server, written_ways


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


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
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


@pytest.mark.usefixtures("quick")
def test_no_server_is_said(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 3)
    command = [str(requests), str(place / "completions.parquet"), "--live", "--budget-usd", "1", "--patience", "0.05"]
    result = CliRunner().invoke(distill, command)
    assert "no_connection" in result.output
    assert "127.0.0.1" in result.output
    assert Ledger([place / ".ledger"]).spent_usd() == 0.0, "a refused connection costs nothing"


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


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [0, 400, 401, 403, 404, 500])
def test_a_key_that_a_server_repeats_is_nowhere(status: int, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every form, in errors and in answers (status 0): no file, message or table has it."""
    monkeypatch.setenv("OPENAI_API_KEY", key := "sk-canary/4f1d+9c0'b7e")
    requests = write_requests(place / "requests.parquet", 3)
    with running_server(status=status, echo=True) as server:
        result = buy(requests, server)
    assert (result.exit_code == 0) == (status == 0)
    files = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    kept = str(completions(place)) if status == 0 else result.output
    assert "[key]" in kept
    for content in [result.output.encode(), kept.encode(), *files]:
        assert not [form for form in written_ways(key) if form.encode() in content]
    assert "\x1b" not in result.output
