"""Many batches at once within the server's queue, and servers that refuse all of a batch."""

from pathlib import Path

import pytest

from stages.core.tables import read_table
from stages.distillation.batch_queue import BatchQueue, is_full
from stages.distillation.ledger import Ledger
from tests.buying import BATCH, buy, completions, write_requests
from tests.fault_server import running_server


def answers(place: Path) -> dict[str, dict]:
    keys = {row["request_id"] for row in read_table("requests", place / "requests.parquet")}
    return Ledger([place / ".ledger"]).answers(keys)


def test_batches_are_under_way_together(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60)
    with running_server(batch_polls=3) as server:
        result = buy(requests, server, *BATCH, "--batch-size", "10", "--batches", "4")
    assert result.exit_code == 0, result.output
    assert len(server.batches) == 6
    assert server.most_batches == 4
    assert server.delivered.total() == 60


@pytest.mark.parametrize("num_tokens", [2000, 600, 150])
def test_a_queue_that_is_full_makes_smaller_batches(num_tokens: int, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 100)
    with running_server(queue_tokens=num_tokens) as server:
        result = buy(requests, server, *BATCH)
    assert result.exit_code == 0, result.output
    assert len(completions(place)) == 100
    assert set(server.delivered.values()) == {1}
    assert "TEACHER_BATCH_TOKENS" in result.output
    assert Ledger([place / ".ledger"]).open_batches() == {}


def test_a_queue_without_room_for_one_request_stops(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 16)
    with running_server(queue_tokens=1) as server:
        result = buy(requests, server, *BATCH)
    assert result.exit_code == 1
    assert "no room for one request" in result.output
    assert "Enqueued token limit reached" in result.output
    assert Ledger([place / ".ledger"]).spent_usd() == 0.0


@pytest.mark.parametrize("count", [2, 6])
def test_a_batch_that_is_refused_as_one_stops_and_is_asked_again(count: int, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", count)
    with running_server(batch_refuses=True) as server:
        result = buy(requests, server, *BATCH)
        assert result.exit_code == 1
        assert "the server rejects every request" in result.output
        assert "words of the server" in result.output
        assert not answers(place)
        assert len(server.batches) == 1
        server.batch_refuses = False
        assert buy(requests, server, *BATCH).exit_code == 0
    assert len(answers(place)) == count


@pytest.mark.parametrize(
    ("words", "limit"),
    [("Enqueued token limit reached for m. Limit: 90,000 enqueued tokens.", 90_000), ("token_limit_exceeded", 100_000)],
)
def test_a_limit_is_learnt(words: str, limit: int) -> None:
    queue = BatchQueue(8, 0)
    assert is_full(words)
    queue.refused(200_000, words, [])
    assert queue.max_tokens == limit
    assert queue.has_room(limit, [])
    assert not queue.has_room(limit, [1])
    queue.refused(10, words, [5])
    assert queue.is_blocked
    assert not is_full("this model's maximum context length is 10 tokens")
