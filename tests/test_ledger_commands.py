"""Replay, and the small commands beside the stage: estimate, status, import_completions."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.tables import read_table
from stages.distillation.account import account, rounds_of
from stages.distillation.distill import main as distill
from stages.distillation.estimate import main as estimate_command
from stages.distillation.expected_cost import estimate
from stages.distillation.import_completions import main as import_completions
from stages.distillation.ledger import Ledger, whole_ledger
from stages.distillation.purchase import Request
from stages.distillation.status import main as status_command
from tests.buying import MODEL, buy, write_requests
from tests.fault_server import running_server
from tests.tiny import tiny_tokenizer


def test_replay_is_the_default_and_names_the_price_and_the_ways_out(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 5)
    result = CliRunner().invoke(distill, [str(requests), str(place / "completions.parquet")])
    assert result.exit_code == 1
    for word in ("5 of the requests", "USD", "TEACHER_LIVE=1", "dvc pull data/ledger"):
        assert word in result.output
    assert not (place / "completions.parquet").exists()
    result = CliRunner().invoke(distill, [str(requests), "out.parquet", "--live"])
    assert "TEACHER_BUDGET_USD" in result.output


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


@pytest.mark.slow
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
    assert record["calls"] == record["answers"] - record["rejected"] + record["failures"]
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
