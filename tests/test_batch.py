"""Batches: half the price, failures asked again, found after a kill, within the budget."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from stages.core.tables import read_table
from stages.distillation.ledger import Ledger
from tests.buying import BATCH, BUY, buy, completions, write_requests
from tests.conftest import ROOT
from tests.fault_server import running_server


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


def test_a_kill_while_a_batch_is_recorded_records_nothing_twice(place: Path) -> None:
    """The segment of a run that had recorded ten of thirty answers, and not yet that the batch had ended."""
    requests = write_requests(place / "requests.parquet", 30)
    with running_server() as server:
        assert buy(requests, server, *BATCH).exit_code == 0
        spent = Ledger([place / ".ledger"]).spent_usd()
        (segment,) = (place / ".ledger").glob("*.jsonl")
        segment.write_text("".join(segment.read_text().splitlines(keepends=True)[:11]))
        assert len(Ledger([place / ".ledger"]).open_batches()) == 1
        assert buy(requests, server, *BATCH).exit_code == 0
    ledger = Ledger([place / ".ledger"])
    answers = [row["key"] for _, row in ledger.rows() if row["kind"] == "answer"]
    assert len(answers) == len(set(answers)) == 30
    assert ledger.spent_usd() == pytest.approx(spent)
    assert len(server.batches) == 1
