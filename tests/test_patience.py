"""A server that restarts, limits or answers nobody: waited for together, for as long as TEACHER_PATIENCE says."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stages.distillation.ledger import Ledger
from tests.buying import buy, completions, write_requests
from tests.fault_server import FaultServer, Odd, end_loop, running_server, serve
from tests.faults import raw

LOADING = (503, {"error": {"message": "Loading model"}}, {})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server_that_starts_late(ledger: Path) -> Iterator[FaultServer]:
    """A server whose port refuses connections until ten have been tried."""
    server, loop, port = FaultServer(), asyncio.new_event_loop(), free_port()
    server.url = f"http://127.0.0.1:{port}/v1"

    def run() -> None:
        while sum(path.read_text().count('"failure"') for path in ledger.glob("*.jsonl")) < 10:
            time.sleep(0.01)
        loop.run_until_complete(serve(server, port))
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield server
    end_loop(loop, thread)


def failures(folder: Path) -> list[str]:
    return [row["reason"] for _, row in Ledger([folder / ".ledger"]).rows() if row["kind"] == "failure"]


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_not_there_yet_is_waited_for(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 40)
    with server_that_starts_late(place / ".ledger") as server:
        result = buy(requests, server, "--concurrency", "16", "--patience", "30")
    assert result.exit_code == 0, result.output
    assert len(completions(place)) == 40
    assert result.output.count("waiting for it up to 30 s (TEACHER_PATIENCE)") == 1
    assert "answers again after" in result.output
    assert failures(place).count("no_connection") < 30, "one call asks for all"
    assert Ledger([place / ".ledger"]).spent_usd() == pytest.approx(sum(row["usd"] for row in completions(place)))


@pytest.mark.usefixtures("quick")
def test_a_restart_in_the_middle_costs_no_request_its_attempts(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 60)
    with running_server(script=lambda number, _: LOADING if 20 <= number < 34 else None) as server:
        result = buy(requests, server, "--concurrency", "8")
    assert result.exit_code == 0, result.output
    assert set(server.delivered.values()) == {1}
    assert result.output.count("(TEACHER_PATIENCE)") == 1
    assert server.most_in_flight <= 8


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0.01"}, {"Retry-After": "-3"}, {"Retry-After": "soon"}])
@pytest.mark.parametrize("status", [429, 502, 503, 529])
def test_patience_ends(status: int, headers: dict[str, str], place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 30)
    reply = (status, {"error": {"message": "come back tomorrow"}}, headers)
    with running_server(script=lambda *_: reply) as server:
        result = buy(requests, server, "--concurrency", "8", "--patience", "0.2")
    assert result.exit_code == 1
    assert "did not answer for 0.2 s" in result.output
    assert "come back tomorrow" in result.output
    assert "TEACHER_PATIENCE" in result.output
    assert server.num_calls < 60
    assert Ledger([place / ".ledger"]).spent_usd() == 0.0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("asked", ["86400", "99999999999999", "Fri, 31 Dec 2099 23:59:59 GMT", "24h"])
def test_a_server_that_asks_for_a_day_is_asked_again_after_the_cap(
    asked: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.distillation.limits.MAX_REST", 0.2)
    monkeypatch.setattr("stages.distillation.limits.TOLD_SECONDS", 0.1)
    requests = write_requests(place / "requests.parquet", 20)
    slow = (429, {"error": {"message": "daily limit"}}, {"Retry-After": asked})
    with running_server(script=lambda number, _: slow if number == 3 else None) as server:
        result = buy(requests, server, "--concurrency", "4")
    assert result.exit_code == 0, result.output
    assert result.output.count("all calls wait") == 1
    assert "daily limit" in result.output


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [402, 405, 410, 421, 426, 451, 501])
def test_what_cannot_heal_is_met_once(status: int, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 50)
    with running_server(script=lambda *_: (status, {"error": {"message": "words of the server"}}, {})) as server:
        result = buy(requests, server, "--concurrency", "32")
    assert result.exit_code == 1
    assert "words of the server" in result.output
    assert str(status) in result.output
    assert server.num_calls == 1, "the first call goes alone"
    assert Ledger([place / ".ledger"]).spent_usd() == 0.0


@pytest.mark.usefixtures("quick")
def test_a_request_over_the_account_limit_is_left_and_not_recorded(place: Path) -> None:
    told = {"error": {"code": "rate_limit_exceeded", "message": "Request too large for m on tokens per min: Limit 9"}}
    requests = write_requests(place / "requests.parquet", 20)

    def script(_: int, body: dict) -> tuple[int, object, dict[str, str]] | None:
        return (429, told, {}) if body["messages"][0]["content"] == "Write problem 7." else None

    with running_server(script=script) as server:
        result = buy(requests, server, "--concurrency", "4")
        assert "1 requests are not answered" in result.output
        assert "Request too large" in result.output
        assert server.num_calls == 20
        server.script = lambda *_: None
        assert buy(requests, server).exit_code == 0, "a larger limit takes it"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("told", ["<html>Welcome</html>", {}, [], {"choices": []}, "", {"error": {"message": "sick"}}])
def test_replies_that_hold_nothing_stop_before_they_cost_much(told: object, place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 200)
    with running_server(script=lambda *_: (200, told, {})) as server:
        result = buy(requests, server, "--concurrency", "4")
    assert result.exit_code == 1
    assert "nothing that can be used" in result.output
    assert server.num_calls <= 8 + 4


def test_a_certificate_or_protocol_that_is_wrong_stops(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 5)
    with running_server() as server:
        server.url = server.url.replace("http:", "https:")
        result = buy(requests, server)
    assert result.exit_code == 1
    assert "its protocol (http or https)" in result.output


DROPPED = {
    "closed": raw(b""),
    "reset": raw(b"", is_reset=True),
    "half a header": raw(b"HTTP/1.1 200 OK\r\nContent-", is_reset=True),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("drop", DROPPED.values(), ids=DROPPED.keys())
@pytest.mark.parametrize("budget", [0.0, 1.0])
def test_a_proxy_that_drops_connections_while_a_free_server_loads_is_waited_for(
    budget: float, drop: Callable[[dict], Odd], place: Path
) -> None:
    requests = write_requests(place / "requests.parquet", 12, models=("local",))
    with running_server() as server:
        server.odd = lambda body, answer: drop(answer) if server.num_calls <= 14 else None
        result = buy(requests, server, "--concurrency", "4", "--patience", "30", budget=budget)
        assert result.exit_code == 0, result.output
        assert "answers again" in result.output
        server.odd = lambda body, answer: drop(answer)
        result = buy(write_requests(place / "requests.parquet", 13, models=("local",)), server, "--patience", "0.1")
        assert "TEACHER_PATIENCE is the time" in result.output


@pytest.mark.usefixtures("quick")
def test_a_dear_server_that_drops_connections_stops_before_it_costs_much(place: Path) -> None:
    requests = write_requests(place / "requests.parquet", 30)
    with running_server() as server:
        server.odd = lambda body, answer: raw(b"")(answer)
        result = buy(requests, server, "--concurrency", "4")
        assert "may bill it" in result.output
        assert server.num_calls <= 12
