"""Batches that the server has lost, refuses in words of its own, or cannot be asked about; and addresses with a version."""

import time
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from stages.core.tables import read_table
from stages.distillation.batch_client import BatchClient
from stages.distillation.batch_status import Counts, State, counts_of, errors_of, state_of
from stages.distillation.ledger import Ledger
from stages.distillation.open_batches import server_name
from tests.buying import BATCH, MODEL, buy, completions, write_requests
from tests.fault_server import Odd, running_server
from tests.faults import as_bytes
from tests.test_ledger import segment


def open_batch(place: Path, requests: Path, server: str) -> None:
    """A ledger with a batch of an earlier run."""
    keys = [row["request_id"] for row in read_table("requests", requests)]
    row = {
        "kind": "batch",
        "batch_id": "batch-of-old",
        "keys": keys[:4],
        "usd": 0.5,
        "model": MODEL,
        "server": server,
        "at": "now",
    }
    segment(place / ".ledger", "1", row)


def test_a_batch_that_the_server_does_not_know_is_lost_and_asked_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = write_requests(place / "requests.parquet", 6)
    with running_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        server.odd_batch = lambda path, _: Odd(b"{}", 404) if path == "GET /batches/batch-of-old" else None
        open_batch(place, requests, server_name())
        server.batches["batch-of-old"] = {"polls": 0, "status": "completed", "id": "hidden", "object": "batch"}
        result = buy(requests, server, *BATCH)
    assert result.exit_code == 0, result.output
    assert "batch batch-of-old is not known to the server any more" in result.output
    assert len(completions(place)) == 6
    ledger = Ledger([place / ".ledger"])
    assert ledger.open_batches() == {}
    assert ledger.spent_usd() == pytest.approx(0.5 + sum(row["usd"] for row in completions(place)))


def test_a_batch_of_another_server_stays_open_and_the_others_go_on(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 6)
    open_batch(place, requests, "another")
    with running_server() as server:
        server.odd_batch = lambda path, _: Odd(b"{}", 404) if path == "GET /batches/batch-of-old" else None
        server.batches["batch-of-old"] = {"polls": 0, "status": "completed", "id": "hidden", "object": "batch"}
        result = buy(requests, server, *BATCH)
        assert result.exit_code == 1
        assert "submitted at another OPENAI_BASE_URL" in result.output
        assert server.delivered.total() == 2
        assert list(Ledger([place / ".ledger"]).open_batches()) == ["batch-of-old"]
        assert buy(requests, server).exit_code == 0, "TEACHER_VIA=chat pays for them once more"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"code": "invalid_model", "message": "no such thing"}, "build_requests.model"),
        ({"code": "insufficient_quota", "message": "pay first"}, "quota"),
        ({"code": None, "message": "You exceeded your current quota"}, "quota"),
        ({"code": "invalid_api_key", "message": "not this"}, "OPENAI_API_KEY"),
    ],
)
def test_an_error_in_the_place_of_a_response_stops_as_in_chat(error: dict, told: str, place: Path) -> None:
    with running_server() as server:
        server.odd_line = lambda entry, _: as_bytes({"custom_id": entry["custom_id"], "response": None, "error": error})
        result = buy(write_requests(place / "requests.parquet", 6), server, *BATCH)
    assert result.exit_code == 1
    assert told in result.output
    assert error["message"] in result.output
    assert len(server.batches) == 1


def test_batches_that_fail_in_the_same_words_stop(place: Path) -> None:
    with running_server() as server:
        server.odd_line = lambda entry, _: as_bytes(
            {"custom_id": entry["custom_id"], "response": None, "error": "backend 7 is sick"}
        )
        result = buy(write_requests(place / "requests.parquet", 6), server, *BATCH)
    assert result.exit_code == 1
    assert "answers no request, in one batch after the other" in result.output
    assert "is sick" in result.output
    assert len(server.batches) == 2


def test_the_words_beside_an_empty_body_are_told(place: Path) -> None:
    with running_server() as server:
        server.odd_line = lambda entry, _: as_bytes(
            {
                "custom_id": entry["custom_id"],
                "response": {"status_code": 400, "body": {}},
                "error": {"message": "all refused"},
            }
        )
        result = buy(write_requests(place / "requests.parquet", 6), server, *BATCH)
    assert "all refused" in result.output


def test_a_dead_server_is_told_at_once(place: Path) -> None:
    began = time.monotonic()
    with running_server() as server:
        pass
    result = buy(write_requests(place / "requests.parquet", 2), server, *BATCH, "--patience", "1")
    assert result.exit_code == 1
    assert "the server does not answer" in result.output
    assert "TEACHER_PATIENCE" in result.output
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://n.openai.azure.com/openai/deployments/d?api-version=2024-10-21", "/openai/batches?api-version=2024-10-21&limit=100"),
        ("https://n.openai.azure.com/openai/deployments/d/?api-version=1", "/openai/batches?api-version=1&limit=100"),
        ("https://gateway/x?api-version=1&a=b", "/x/batches?api-version=1&a=b&limit=100"),
        ("https://api.openai.com/v1", "/v1/batches?limit=100"),
        ("http://localhost:8000/deployments/d/v1/", "/deployments/d/v1/batches?limit=100"),
    ],
)  # fmt: skip
def test_an_address_with_a_version_keeps_it_and_has_its_own_header(
    url: str, asked: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    client, seen = BatchClient(1.0), []

    def send(request: httpx2.Request, **_: object) -> httpx2.Response:
        for hook in client.client._client.event_hooks["request"]:
            hook(request)
        seen.append(request)
        return httpx2.Response(200, json={"object": "list", "data": []}, request=request)

    monkeypatch.setattr(client.client._client, "send", send)
    assert client.latest("x") == []
    (request,) = seen
    assert request.url.raw_path.decode() == asked
    assert ("api-key" in request.headers) == ("api-version" in url)
    assert ("Authorization" in request.headers) == ("api-version" not in url)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("COMPLETED", State.COMPLETED), ("In Progress", State.UNDER_WAY), ("in-progress", State.UNDER_WAY), ("JOB_STATE_FAILED", State.FAILED),
        ("BatchStatus.EXPIRED", State.ENDED), ("Canceled", State.ENDED), (" ended ", State.COMPLETED), ("banana", State.UNKNOWN), ("", State.UNKNOWN),
    ],
)  # fmt: skip
def test_a_status_is_known_in_many_words(word: str, state: State) -> None:
    assert state_of(SimpleNamespace(status=word)) is state


def test_counts_and_errors_may_be_anything() -> None:
    batch = SimpleNamespace(request_counts={"completed": 10**9, "failed": True}, errors=[["a", {"code": 5}], None, 7])
    assert counts_of(batch, 6) == Counts(None, None)
    assert errors_of(batch) == [("", "a"), ("5", "5"), ("", "7")]
    assert counts_of(SimpleNamespace(), 6) == Counts(None, None)
    assert errors_of(SimpleNamespace()) == []
