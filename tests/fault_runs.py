"""Makes the faults of `faults.py` happen, and says whether what must hold does.

run = run_chat([fault, ...], folder); run.check(fault)
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from stages.core.command import StageError
from stages.core.tables import read_table
from stages.distillation.ledger import Ledger, Row
from stages.distillation.pricing import load_price
from stages.generation.interface import Prompt, Sampling
from stages.generation.server_engine import ServerEngine
from stages.models.folders import save_model
from tests.buying import BATCH, MODEL, buy, completions, write_requests
from tests.fault_server import FaultServer, Odd, completion_of, running_server
from tests.faults import Fault
from tests.tiny import tiny_model, tiny_tokenizer

NUM_PLAIN = 4  # requests beside the faults


@dataclass
class Run:
    """One purchase in which request i meets fault i, and what came of it."""

    faults: list[Fault]
    folder: Path
    result: Result
    rows: list[Row]  # of the ledger

    @classmethod
    def of(cls, faults: list[Fault], folder: Path, server: FaultServer, *options: str) -> "Run":
        requests = write_requests(folder / "requests.parquet", len(faults) + NUM_PLAIN)
        result = buy(requests, server, *options)
        return cls(faults, folder, result, [row for _, row in Ledger([folder / ".ledger"]).rows()])

    def check(self, fault: Fault) -> None:
        """Raises AssertionError where what must hold does not."""
        assert self.result.exit_code == 0, self.result.output
        number = self.faults.index(fault)
        self._check(fault, completions(self.folder)[number], self.requests[number])

    @property
    def requests(self) -> list[dict]:
        return read_table("requests", self.folder / "requests.parquet")

    def _check(self, fault: Fault, got: dict, request: dict) -> None:
        rows = [row for row in self.rows if row.get("key") == request["request_id"]]
        failures = [row for row in rows if row["kind"] == "failure"]
        (answer,) = [row for row in rows if row["kind"] == "answer"]
        body = body_of(request)
        factor = 0.5 if fault.where == "batch" else 1.0
        worst = factor * load_price(MODEL).worst_usd(body["messages"], 200)
        wrote = completion_of(body)["choices"][0]["message"]["content"]
        assert answer["completion"] == got["completion"]
        if fault.holds == "rejected":
            assert got["finish_reason"] == "rejected"
            assert fault.told in got["completion"]
            assert sum(row["usd"] for row in rows if row["kind"] != "sent") == 0
        elif fault.holds in ("kept", "estimated"):
            assert not failures
            if fault.told == "~":
                assert wrote.split("[Problem]")[1] in got["completion"]
            else:
                assert got["completion"] == (fault.told or wrote)
            assert answer["is_estimated"] == (fault.holds == "estimated")
            if answer["is_estimated"]:
                assert answer["usd"] >= worst * 0.999999
        else:
            assert got["completion"] == wrote
            if fault.where == "batch" and fault.holds in ("free", "stranger"):
                self._check_strangers(worst)
                return
            (failure,) = failures
            assert failure["reason"] == fault.told or not fault.told
            assert (failure["usd"] >= worst * 0.999999) == (fault.holds in ("again", "lost"))
            assert (failure["usd"] == 0) == (fault.holds == "free")
            if fault.holds.startswith("again"):
                assert "reply" in failure

    def _check_strangers(self, worst: float) -> None:
        lines = [row for row in self.rows if row["kind"] == "failure" and not row["key"]]
        assert len(lines) >= sum(fault.holds == "stranger" for fault in self.faults)
        assert all(row["usd"] >= worst * 0.99 for row in lines)
        assert any(row["reply"] for row in lines)


def body_of(request: dict) -> dict:
    return {"messages": json.loads(request["messages"]), **json.loads(request["sampling"])}


def number_of(body: dict) -> int:
    """The number of a request, from its words."""
    return int(body["messages"][0]["content"].split()[-1].rstrip("."))


def meeting(faults: list[Fault]) -> Callable[[dict, dict], Any]:
    """What request i gets at its first call: what fault i makes."""
    met: set[int] = set()

    def odd(body: dict, answer: dict) -> Odd | bytes | None:
        number = number_of(body.get("body", body))
        if number >= len(faults) or number in met:
            return None
        met.add(number)
        return faults[number].make(answer)

    return odd


def run_chat(faults: list[Fault], folder: Path, seconds: float = 60.0) -> Run:
    with running_server() as server:
        server.odd = meeting(faults)
        return Run.of(faults, folder, server, "--concurrency", "32", "--timeout", str(seconds))


def run_batch(faults: list[Fault], folder: Path) -> Run:
    with running_server() as server:
        server.odd_line = meeting(faults)
        return Run.of(faults, folder, server, *BATCH)


def check_alone(fault: Fault, folder: Path) -> None:
    """A fault that has a purchase to itself: one that stops it, takes a short timeout, or is no reply to one request."""
    if fault.where == "engine":
        _check_engine(fault)
    elif fault.at:
        _check_path(fault, folder)
    elif fault.holds == "stops":
        _check_stop(fault, folder)
    else:
        run_chat([fault], folder, fault.seconds).check(fault)


def _check_stop(fault: Fault, folder: Path) -> None:
    with running_server() as server:
        server.odd = lambda body, answer: fault.make(answer)
        result = buy(write_requests(folder / "requests.parquet", 20), server, "--concurrency", "2")
    _check_told(fault, result)
    assert server.num_calls <= 2
    assert Ledger([folder / ".ledger"]).spent_usd() == 0


def _check_told(fault: Fault, result: Result) -> None:
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert fault.told in result.output
    assert "Traceback" not in result.output


def _check_path(fault: Fault, folder: Path) -> None:
    """Calls to a path of the Batch API meet the fault: the first one, or all of a run."""
    met: list[str] = []

    def odd(path: str, body: bytes) -> Odd | bytes | None:
        if not path.startswith(fault.at) or (fault.at == "GET /batches" and path != fault.at):
            return None
        if met and fault.holds not in ("left", "stops"):
            return None
        made = fault.make(body)
        met.extend([path] * (made is not None))
        return made

    requests = write_requests(folder / "requests.parquet", NUM_PLAIN)
    with running_server() as server:
        server.odd_batch = odd  # type: ignore[assignment]
        result = buy(requests, server, *BATCH)
        assert met
        if fault.holds in ("stops", "left"):
            _check_told(fault, result)
            server.odd_batch = lambda path, body: None
        if fault.holds == "left":
            (row,) = Ledger([folder / ".ledger"]).open_batches().values()
            assert row["usd"] > 0
            assert server.delivered.total() == NUM_PLAIN
        if fault.holds in ("stops", "left"):
            result = buy(requests, server, *BATCH)
    assert result.exit_code == 0, result.output
    assert len(completions(folder)) == NUM_PLAIN
    if fault.holds == "asked anew":
        assert fault.told in result.output
        assert Ledger([folder / ".ledger"]).spent_usd() > sum(row["usd"] for row in completions(folder))
    else:
        assert set(server.delivered.values()) == {1}
        assert len(server.batches) == 1 + (fault.at == "GET /batches/" and fault.holds == "stops")


def _check_engine(fault: Fault) -> None:
    met: list[int] = []

    def odd(body: dict, answer: dict) -> Odd | bytes | None:
        if fault.holds != "stops" and (met or body["seed"] != 1):
            return None
        met.append(1)
        return fault.make(answer)

    save_model(tiny_model("llama"), tiny_tokenizer(), Path("served"), {})
    with running_server() as server, pytest.MonkeyPatch.context() as patch:
        server.odd = odd  # type: ignore[assignment]
        patch.setenv("NINECHAPTERS_SERVER", server.url)
        patch.setenv("NINECHAPTERS_SERVER_PATIENCE", "10")
        patch.setattr("stages.generation.server_engine.FIRST_BACKOFF", 0.01)
        patch.setattr("stages.generation.server_engine.LOOK_SECONDS", 0.01)
        prompts = [Prompt(f"p{i}", seed=i) for i in range(4)]
        if fault.holds == "stops":
            with pytest.raises(StageError, match=fault.told):
                ServerEngine(Path("served")).run(prompts, Sampling(5))
            return
        texts = [output.text for output in ServerEngine(Path("served")).run(prompts, Sampling(5))]
    assert texts == ["p0/0", fault.told or "p1/1", "p2/2", "p3/3"]
    assert met
    assert server.num_calls == len(prompts) + (fault.holds == "again")
