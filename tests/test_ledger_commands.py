"""Replay, and the small commands beside the stage: estimate, status, import_completions."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

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
from tests.test_ledger import answer, segment
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


def a_line(key: str, **members: object) -> str:
    body = {
        "model": "m",
        "choices": [{"message": {"content": "7"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }
    return json.dumps({"custom_id": key, "response": {"status_code": 200, "body": body, **members}})


def a_row(key: str, **members: object) -> str:
    row = {
        "request_id": key,
        "completion": "7",
        "finish_reason": "stop",
        "served_model": "m",
        "prompt_tokens": 5,
        "completion_tokens": 2,
    }
    return json.dumps({**row, **members})


def imported(place: Path, content: str) -> Result:
    requests = write_requests(place / "requests.parquet", 1)
    (place / "bought.jsonl").write_text(content.replace("KEY", read_table("requests", requests)[0]["request_id"]))
    return CliRunner().invoke(import_completions, [str(requests), str(place / "bought.jsonl")])


@pytest.mark.parametrize(
    "content",
    [
        f"\n{a_row('KEY')}\n\n",
        f"{a_line('KEY')}\n \n\t\n",
        a_line("KEY", status_code="200"),
        a_line("KEY", status_code=None),
        a_line("KEY", status_code=201),
        a_line("KEY", body='{"choices": [{"message": {"content": "7"}}]}'),
        a_line("KEY").replace('"prompt_tokens": 5', '"prompt_tokens": Infinity'),
        a_row("KEY", completion="a\ud83db"),
    ],
)
def test_a_completion_is_imported_whatever_stands_around_it(content: str, place: Path) -> None:
    result = imported(place, content)
    assert result.exit_code == 0, result.output
    assert "added 1" in result.output
    ledger = whole_ledger()
    assert len(ledger.answers({row["request_id"] for row in read_table("requests", place / "requests.parquet")})) == 1
    assert not ledger.faults


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("completion", None), ("completion", 5), ("prompt_tokens", -5), ("completion_tokens", "5"), ("cached_tokens", 5.0),
        ("prompt_tokens", True), ("completion_tokens", 10**30), ("usd", -5), ("usd", float("inf")), ("usd", float("nan")), ("usd", "free"),
        ("finish_reason", ["stop"]), ("served_model", {"id": "m"}),
    ],
)  # fmt: skip
def test_an_answer_that_the_ledger_cannot_read_is_not_imported(name: str, value: object, place: Path) -> None:
    result = imported(place, a_row("KEY", **{name: value}))
    assert result.exit_code == 1
    assert "bought.jsonl:1: " in result.output
    assert name in result.output
    assert "Traceback" not in result.output
    assert not list(whole_ledger().rows())


@pytest.mark.parametrize("model", [["a"], {"a": 1}, 5, "another"])
def test_an_answer_by_a_model_that_is_none_is_told_and_ends_nothing(model: object, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 1)
    (row,) = read_table("requests", requests)
    segment(
        place / ".ledger", "1", {**answer(row["request_id"]), "sampling": {"model": model}, "served_model": "gpt-9"}
    )
    result = CliRunner().invoke(distill, [str(requests), str(place / "completions.parquet")])
    assert result.exit_code == 1
    assert "1 answers in the ledger are not used: gpt-9 answered instead of" in result.output
