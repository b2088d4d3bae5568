"""Refusals: recorded where a request is at fault, whenever that is known; never where the server refuses everybody."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stages.core.tables import read_table
from stages.distillation.ledger import Ledger
from tests.buying import BATCH, buy, completions, write_requests
from tests.fault_runs import number_of
from tests.fault_server import Odd, running_server
from tests.faults import as_bytes, failing, status

ECHO = b"this key is disabled; it came with: Write problem %d."
SAME = [
    b"Your organization has been disabled.",
    b"maximum context length is 4096 tokens; request req_%d asks for more",
    ECHO,
]


def refused(words: bytes, number: int) -> bytes:
    return b'{"error": {"message": "%s"}}' % (words.replace(b"%d", b"%d" % number))


def answers(place: Path) -> dict[str, dict]:
    keys = {row["request_id"] for row in read_table("requests", place / "requests.parquet")}
    return Ledger([place / ".ledger"]).answers(keys)


def refuses(is_refused: Callable[[int], bool], words: bytes, via: str) -> dict[str, Callable]:
    """What a server makes of requests, in chat and in batches."""

    def in_chat(body: dict, answer: dict) -> Odd | None:
        number = number_of(body)
        return status(400, refused(words, number))(answer) if is_refused(number) else None

    def in_line(entry: dict, line: dict) -> bytes | None:
        number = number_of(entry["body"])
        return (
            failing(400, {"error": {"message": words.decode().replace("%d", str(number))}})(line)
            if is_refused(number)
            else None
        )

    return {"odd": in_chat} if via == "chat" else {"odd_line": in_line}


@pytest.mark.parametrize("via", ["chat", "batch"])
@pytest.mark.parametrize("words", SAME, ids=["disabled", "context", "echo"])
@pytest.mark.parametrize(("count", "num_good"), [(60, 2), (8, 2), (30, 11)])
def test_a_server_that_refuses_all_others_in_the_same_words_stops(
    count: int, num_good: int, words: bytes, via: str, place: Path
) -> None:
    requests = write_requests(place / "requests.parquet", count)
    with running_server() as server:
        vars(server).update(refuses(lambda number: number >= num_good, words, via))
        result = buy(requests, server, *(BATCH if via == "batch" else ()))
        assert result.exit_code == 1
        assert "in the same words" in result.output
        assert words.split(b"%d")[0].decode() in result.output
        assert f"bought {num_good} answers" in result.output
        assert len(answers(place)) == num_good, "none is recorded as rejected"
        server.odd, server.odd_line = (lambda *_: None), (lambda *_: None)
        assert buy(requests, server).exit_code == 0, "mended, all are answered"
    assert {row["finish_reason"] for row in completions(place)} == {"stop"}


@pytest.mark.parametrize("via", ["chat", "batch"])
def test_a_refused_request_that_comes_alone_is_recorded(via: str, place: Path) -> None:
    options = BATCH if via == "batch" else ()
    with running_server() as server:
        assert buy(write_requests(place / "requests.parquet", 4), server, *options).exit_code == 0
        result = buy(write_requests(place / "requests.parquet", 5, bad=4), server, *options)
        assert result.exit_code == 0, result.output
        assert "rejects 1 requests for good" in result.output
        assert "bought 0 answers" in result.output
    assert completions(place)[4]["finish_reason"] == "rejected"


@pytest.mark.parametrize("via", ["chat", "batch"])
def test_many_refusals_among_answers_are_recorded(via: str, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 120)
    with running_server(latency=0.01) as server:
        vars(server).update(refuses(lambda number: number % 5 == 3, b"this prompt is not allowed", via))
        result = buy(requests, server, "--concurrency", "16", *(BATCH if via == "batch" else ()))
    assert result.exit_code == 0, result.output
    assert "rejects 24 requests for good" in result.output
    assert "bought 96 answers" in result.output


def test_some_refusals_in_each_of_many_batches_are_recorded(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60)
    with running_server() as server:
        vars(server).update(refuses(lambda number: number % 10 < 4, b"this prompt is not allowed", "batch"))
        result = buy(requests, server, *BATCH, "--batch-size", "10", "--batches", "1")
    assert result.exit_code == 0, result.output
    assert "rejects 24 requests for good" in result.output


def test_two_words_in_turn_for_everybody_stop(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60)
    with running_server() as server:
        server.odd = lambda body, answer: (
            (number_of(body) > 1 and status(400, [b"no", b"never"][number_of(body) % 2])(answer)) or None
        )
        result = buy(requests, server, "--concurrency", "4")
        assert server.num_calls < 40
    assert "in the same words" in result.output
    assert len(answers(place)) == 2


def test_refusals_in_words_of_their_own_are_recorded(place: Path) -> None:
    with running_server() as server:
        assert buy(write_requests(place / "requests.parquet", 1), server).exit_code == 0
        words = [b"too rude", b"too long", b"no picture", b"in Latin"]
        server.odd = lambda body, answer: Odd(as_bytes({"error": words[number_of(body) % 4].decode()}), 400)
        result = buy(write_requests(place / "requests.parquet", 5), server)
    assert result.exit_code == 0, result.output


def test_a_refusal_is_in_the_ledger_once_a_later_call_is_answered(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a kill near the end does not lose it."""
    monkeypatch.setattr("stages.distillation.rejections.Rejections.settle", lambda *_: set())
    requests = write_requests(place / "requests.parquet", 40, bad=7)
    with running_server() as server:
        assert buy(requests, server, "--concurrency", "4").exit_code == 0
    assert [row["finish_reason"] for row in answers(place).values()].count("rejected") == 1
