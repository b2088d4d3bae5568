"""Money: what a usage, a price and a budget may be, and that the server's worst bill stays within what is counted."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.command import StageError
from stages.core.tables import read_table
from stages.distillation.billing import MAX_TOKENS, Usage, believed_usage
from stages.distillation.budget import Budget
from stages.distillation.ledger import Ledger
from stages.distillation.pricing import Price, load_price
from tests.buying import MODEL, buy, write_requests
from tests.fault_runs import number_of
from tests.fault_server import FaultServer, Odd, running_server
from tests.faults import as_bytes, edited, raw, status, usage

PRICE = Price(0.15, 0.075, 0.6, 0.5)
ODD_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
                       st.just(10**400), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.recursive(ODD_VALUES, lambda inner: st.dictionaries(st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens", "completion_tokens_details",
     "reasoning_tokens"]), inner, max_size=6), max_leaves=8))  # fmt: skip
def test_whatever_a_usage_is_its_cost_is_finite_and_not_negative(value: Any) -> None:
    believed = believed_usage(value, PRICE)
    if believed is not None:
        assert 0 <= believed.cached_tokens <= believed.prompt_tokens
        assert 0 <= PRICE.usd(*believed[:3]) <= 4 * MAX_TOKENS * 0.6e-6


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, Usage(5, 20)),
        ({"total_tokens": 12_025}, Usage(5, 12_020)),
        ({"completion_tokens_details": {"reasoning_tokens": 15}}, Usage(5, 20)),
        ({"total_tokens": 0, "completion_tokens_details": {"reasoning_tokens": 90}}, Usage(5, 110)),
        ({"total_tokens": None, "reasoning_tokens": 70}, Usage(5, 90)),
        ({"total_tokens": 110, "completion_tokens_details": {"reasoning_tokens": 90}}, Usage(5, 110)),
        ({"total_tokens": 500, "completion_tokens_details": {"reasoning_tokens": 90}}, Usage(5, 495)),
        ({"completion_tokens_details": {"reasoning_tokens": 20}}, Usage(5, 20)),
        ({"completion_tokens": 0, "total_tokens": 0, "reasoning_tokens": 90}, Usage(5, 90)),
        ({"prompt_tokens": 0}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens_details": {"cached_tokens": 5}}, Usage(5, 20, 5)),
    ],
)
def test_what_a_server_may_bill_is_counted_once(counts: dict, expected: Usage | None) -> None:
    assert believed_usage(usage(**counts)({})["usage"], PRICE) == expected


@pytest.mark.parametrize(
    "value", [".nan", ".inf", "-.inf", "-1", "null", "free", "true", "[1]", "1e400", "9" * 400, "1e-3", "''"]
)
@pytest.mark.parametrize("name", ["prompt", "cached", "completion", "batch_factor"])
def test_a_price_that_is_none_is_refused(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"prompt": "1.0", "cached": "1.0", "completion": "1.0", "batch_factor": "0.5"} | {name: value}
    path = tmp_path / "prices.yaml"
    path.write_text(f"models: {{m: {{{', '.join(f'{key}: {text}' for key, text in entry.items())}}}}}")
    monkeypatch.setenv("TEACHER_PRICES", str(path))
    with pytest.raises(StageError, match=rf"models\.m\.{name}"):
        load_price("m")


PRICES = [
    ("m: {prompt: 1000, cached: 1, completion: 1, batch_factor: 1, prompt: 0}", "'prompt' occurs twice"),
    ("m: {prompt: 1, cached: 1, completion: 1, batch_factor: 1}\n  m: {prompt: 0, cached: 0, completion: 0, batch_factor: 1}", "prices.yaml:2: 'm' occurs twice, again in line 3"),
    ("m: {prompt: 1, cached: 1, completion: 1, batch_factor: 1}\nmodels: {}", "'models' occurs twice"),
    ("m: {prompt: 1:30, cached: 1, completion: 1, batch_factor: 1}", "1:30 is not a decimal number"),
    ("m: {prompt: 010, cached: 1, completion: 1, batch_factor: 1}", "010 is not a decimal number"),
    ("m: {prompt: 0x1F, cached: 1, completion: 1, batch_factor: 1}", "0x1F is not a decimal number"),
    ("m: {prompt: 0b11, cached: 1, completion: 1, batch_factor: 1}", "0b11 is not a decimal number"),
    ("m: {prompt: 1:30.5, cached: 1, completion: 1, batch_factor: 1}", "1:30.5 is not a decimal number"),
    ("m: {prompt: 1, cached: 1, completion: 1, batch_factor: 0}", "batch_factor is 0, not over 0"),
    ("m: {prompt: 1, cached: 1, completion: 1, batch_factor: 0.0}", "batch_factor is 0.0, not over 0"),
    ("m: {prompt: 1, cached: 1, completion: 1, batch_factor: 2}", "batch_factor is 2, not over 0"),
    ("? [m]\n  : 1", "a name is a table or a list"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "told"), PRICES)
def test_a_table_of_prices_says_each_price_once(
    lines: str, told: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "prices.yaml").write_text(f"models:\n  {lines}\n")
    monkeypatch.setenv("TEACHER_PRICES", str(place / "prices.yaml"))
    with pytest.raises(StageError) as error:
        load_price("m")
    assert told in str(error.value)


@pytest.mark.parametrize("budget", ["nan", "inf", "-1", "-inf", "1e400", "five", "true", "null"])
def test_a_budget_that_is_none_is_refused(budget: str, place: Path) -> None:
    with running_server() as server:
        result = buy(write_requests(place / "requests.parquet", 3), server, budget=budget)  # type: ignore[arg-type]
    assert result.exit_code == 2
    assert "TEACHER_BUDGET_USD" in result.output
    assert server.num_calls == 0
    with pytest.raises(StageError, match="TEACHER_BUDGET_USD"):
        Budget(float("nan"))


class Bill:
    """A server that answers at random, and what it may bill at its worst."""

    def __init__(self, seed: int) -> None:
        self.rng, self.usd = random.Random(seed), 0.0
        self.whole: Counter[int] = Counter()

    def odd(self, body: dict, answer: dict) -> Odd:
        worst = load_price(MODEL).worst_usd(body["messages"], 200)
        drawn = self.rng.random()
        if drawn < 0.1:
            return status(self.rng.choice([429, 500, 503]), Retry_After="0")(answer)
        if drawn < 0.2:
            self.usd += worst
            return self.rng.choice([raw(b""), raw(b"HTTP/1.1 200", is_reset=True), status(200, b"<html>")])(answer)
        self.whole[number_of(body)] += 1
        if drawn < 0.5:
            self.usd += worst
            nonsense = self.rng.choice([-5, float("inf"), 10**30, None, "7", {"a": 1}])
            return Odd(as_bytes(usage(completion_tokens=nonsense)(answer)))
        prompt, completion, apart = self.rng.randint(1, 15), self.rng.randint(1, 100), self.rng.choice([0, 0, 100])
        self.usd += 0.15e-6 * prompt + 0.6e-6 * (completion + apart)
        counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion + apart}
        return Odd(as_bytes(edited("usage", value=counts)(answer)))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", range(6))
def test_what_the_server_bills_at_its_worst_never_passes_the_budget(seed: int, place: Path) -> None:
    rng, bill = random.Random(seed), Bill(seed)
    budget = rng.uniform(0.0005, 0.006)
    requests = write_requests(place / "requests.parquet", 40)
    with running_server() as server:
        server.odd = bill.odd
        for _ in range(3):
            result = buy(requests, server, "--concurrency", str(rng.choice([1, 4, 16, 64])), budget=budget)
            assert "Traceback" not in result.output
    ledger = Ledger([place / ".ledger"])
    assert bill.usd <= ledger.spent_usd() + 1e-12
    assert ledger.spent_usd() <= budget + 1e-12
    assert set(bill.whole.values()) == {1}, "a whole answer is never bought again"
    assert len(ledger.answers({row["request_id"] for row in read_table("requests", requests)})) == len(bill.whole)


def test_a_request_that_never_left_costs_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.distillation.chat.FIRST_BACKOFF", 0.01)
    server = FaultServer()
    server.url = "http://127.0.0.1:9/v1"
    result = buy(write_requests(place / "requests.parquet", 2), server, "--patience", "0")
    assert result.exit_code == 1
    assert Ledger([place / ".ledger"]).spent_usd() == 0
