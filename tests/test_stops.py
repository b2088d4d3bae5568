"""After a stop no call leaves, not even one that waited for room in the budget."""

from pathlib import Path

import pytest

from stages.distillation.pricing import load_price
from tests.buying import MODEL, buy, write_requests
from tests.fault_runs import number_of
from tests.fault_server import Odd, running_server
from tests.faults import as_bytes, edited, status

WORST = load_price(MODEL).worst_usd([{"role": "user", "content": "Write problem 10."}], 200)
OTHER_MODEL = edited("model", value="gpt-4o-2024-08-06")


@pytest.mark.parametrize(
    "stop",
    [
        status(402),
        status(401),
        status(400, b'{"error": {"code": "model_not_found"}}'),
        lambda answer: Odd(as_bytes(OTHER_MODEL(answer))),
    ],
    ids=["402", "401", "no model", "another model"],
)
@pytest.mark.parametrize("share", [1.2, 1.9, 3.5])
def test_calls_that_wait_for_the_budget_do_not_leave_after_a_stop(stop, share: float, place: Path) -> None:  # type: ignore[no-untyped-def]
    requests = write_requests(place / "requests.parquet", 40)
    called: list[int] = []

    def odd(body: dict, answer: dict) -> Odd | None:
        called.append(number_of(body))
        return stop(answer) if len(called) > 1 else None

    with running_server() as server:
        server.odd = odd
        result = buy(requests, server, "--concurrency", "64", budget=share * WORST)
    assert result.exit_code == 1
    assert "the budget is reached" not in result.output
    assert len(called) <= 1 + int(share) + 1


def test_an_interrupt_lets_no_waiting_call_leave(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.distillation.purchase import Halt

    halts: list[Halt] = []
    make = Halt.__init__
    monkeypatch.setattr(Halt, "__init__", lambda self, *args: (halts.append(self), make(self, *args))[1])
    requests = write_requests(place / "requests.parquet", 40)
    with running_server(latency=0.02) as server:
        server.script = lambda number, _: halts[0].stop("interrupted") if number == 2 else None
        result = buy(requests, server, "--concurrency", "64", budget=1.9 * WORST)
        assert server.num_calls <= 3
    assert "interrupted" in result.output
