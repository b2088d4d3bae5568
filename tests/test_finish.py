"""Finish reasons of many servers, errors inside a 200, and who has answered."""

from pathlib import Path

import pytest

from stages.core.tables import read_table
from stages.distillation.finish_reasons import MEANING, finish_of
from stages.distillation.ledger import Ledger
from stages.distillation.served_models import is_same_model
from tests.buying import BATCH, CANARY, MODEL, buy, completions, write_requests
from tests.fault_server import completion_of, running_server

PRICE = "{prompt: 0.15, cached: 0.075, completion: 0.60, batch_factor: 0.5"


@pytest.mark.parametrize(
    ("reason", "recorded"),
    [
        ("stop", "stop"), ("eos", "stop"), ("end_turn", "stop"), ("stop_sequence", "stop"), ("STOP", "stop"), ("COMPLETE", "stop"),
        ("FINISH_REASON_STOP", "stop"), ("End Turn", "stop"), ("length", "length"), ("max_tokens", "length"), ("MAX_TOKENS", "length"),
        ("model_length", "length"), ("repetition_truncation", "length"), ("content_filter", "content_filter"), ("SAFETY", "content_filter"),
        ("content-filter", "content_filter"), ("refusal", "content_filter"), (None, "unknown"), ("", "unknown"),
        ("null", "unknown"), ("None", "unknown"), ("NULL", "unknown"), ("undefined", "unknown"), ([None], "unknown"), ("finished", "stop"),
        ("success", "stop"), ("SUCCEEDED", "stop"), (["stop"], "stop"), ('["stop"]', "stop"), ("['length']", "length"), ("FinishReason.STOP", "stop"),
        ("endTurn", "stop"), ("maxTokens", "length"), ("'stop'", "stop"), ("stop.", "stop"),
    ],
)  # fmt: skip
def test_words_for_one_thing(reason: object, recorded: str) -> None:
    assert finish_of(reason) == recorded


@pytest.mark.parametrize("reason", ["error", "tool_calls", "function_call", "tool_use", "insufficient_system_resource", "abort", "cancelled",
                                    "network_error", "banana", 5, True, ["stop", "length"], ["error"], {"type": "stop"}, "stop\x00"])  # fmt: skip
def test_what_is_no_success(reason: object) -> None:
    assert finish_of(reason) is None


def test_every_word_is_written_as_it_is_looked_for() -> None:
    assert [word for word in MEANING if finish_of(word) != MEANING[word]] == []


def with_reason(reason: object, body: dict) -> dict:
    answer = completion_of(body)
    answer["choices"][0]["finish_reason"] = reason
    return answer


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("reason", ["error", "tool_calls", f"sick {CANARY}"])
def test_an_answer_that_ended_in_an_error_is_asked_again(reason: str, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 12)
    script = lambda number, body: (200, with_reason(reason, body), {}) if number % 4 == 2 else None  # noqa: E731
    with running_server(script=script) as server:
        result = buy(requests, server, "--concurrency", "2")
    assert result.exit_code == 0, result.output
    assert {row["finish_reason"] for row in completions(place)} == {"stop"}
    failures = [row for _, row in Ledger([place / ".ledger"]).rows() if row["kind"] == "failure"]
    assert len(failures) >= 3
    assert all(row["usd"] > 0 and row["reason"] == "finish_reason" for row in failures), (
        "it was written, so it is billed"
    )
    assert CANARY not in str(failures)


@pytest.mark.usefixtures("quick")
def test_a_server_that_ends_every_answer_in_a_word_of_its_own_is_told(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 100)
    with running_server(script=lambda _, body: (200, with_reason("banana", body), {})) as server:
        result = buy(requests, server, "--concurrency", "2")
    assert "finish_reason banana" in result.output
    assert server.num_calls <= 10


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", [402, 401, 404])
def test_an_error_inside_a_200_ends_as_its_code_says(code: int, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40)
    with running_server(script=lambda *_: (200, {"error": {"code": code, "message": "their words"}}, {})) as server:
        result = buy(requests, server)
    assert "their words" in result.output
    assert str(code) in result.output
    assert server.num_calls == 1


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"), ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"), ("gpt-4", "gpt-4-0613"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"), ("gemini-2.0-flash", "models/gemini-2.0-flash-001"),
        ("openai/gpt-4o", "gpt-4o"), ("Qwen/Qwen3-8B", "/data/models/Qwen3-8B/"), ("Qwen3-8B", "qwen3-8b"), ("m", ""),
        ("Qwen/Qwen3-8B", "/c/hub/models--Qwen--Qwen3-8B/snapshots/9c925d64d72725edaf899c6cb9c377fd0709d9c5"), ("m", r"C:\models\m.gguf"),
        ("llama3", "llama3:latest"), ("local", "local@main"), ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"), ("a/b:free", "a/b"), ("accounts/fireworks/models/x", "x"), ("mistral-large-latest", "mistral-large-2411"),
    ],
)  # fmt: skip
def test_names_of_one_model(asked: str, served: str) -> None:
    assert is_same_model(asked, served)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13"), ("gpt-4o", "gpt-4o-mini"), ("gpt-4", "gpt-4-turbo-2024-04-09"), ("qwen3:8b", "qwen3:4b"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-32B"), ("deployment-1", "gpt-4o-2024-08-06"), ("o3", "o3-mini"), ("a", "b"),
    ],
)  # fmt: skip
def test_names_of_two_models(asked: str, served: str) -> None:
    assert not is_same_model(asked, served)


def prices_with(folder: Path, more: str) -> str:
    path = folder / "prices.yaml"
    path.write_text(f"models:\n  {MODEL}: {PRICE}{more}}}\n")
    return str(path)


@pytest.mark.parametrize("options", [(), BATCH])
def test_another_model_stops_and_its_answers_stay_paid(
    options: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = write_requests(place / "requests.parquet", 30)
    monkeypatch.setenv("TEACHER_PRICES", prices_with(place, ""))
    with running_server(served="gpt-4o-mini-2099-01-01") as server:
        result = buy(requests, server, *options)
        assert result.exit_code == 1
        assert "gpt-4o-mini-2099-01-01 answered instead of gpt-4o-mini-2024-07-18" in result.output
        num_paid = server.delivered.total()
        assert num_paid == (30 if options else 1)
        kept = Ledger([place / ".ledger"]).answers({row["request_id"] for row in read_table("requests", requests)})
        assert len(kept) == num_paid
        (place / "allowed").mkdir()
        allowed = prices_with(place / "allowed", ", served_as: [gpt-4o-mini-2099-01-01]")
        monkeypatch.setenv("TEACHER_PRICES", allowed)
        assert buy(requests, server, *options).exit_code == 0
    assert server.delivered.total() == 30, "what was paid is used once it is allowed"
    monkeypatch.setenv("TEACHER_PRICES", prices_with(place, ""))
    with running_server() as server:
        result = buy(requests, server, *options)
    assert result.exit_code == 0, result.output
    assert "30 answers in the ledger are not used" in result.output
    assert server.delivered.total() == 30
    assert {row["served_model"] for row in completions(place)} == {MODEL}


@pytest.mark.parametrize("names", ["gpt-4o", "[1]", "{a: b}"])
def test_served_as_is_a_list_of_names(names: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_PRICES", prices_with(place, f", served_as: {names}"))
    with running_server(served="other") as server:
        result = buy(write_requests(place / "requests.parquet", 3), server)
    assert "served_as" in result.output
    assert result.exit_code == 1
