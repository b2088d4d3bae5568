"""The ledger, the prices and the budget: what is written survives, and money is never passed."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.distillation import pricing
from stages.distillation.budget import Budget
from stages.distillation.ledger import Ledger, Segment, hold
from stages.distillation.pricing import Price, load_price


def answer(key: str, text: str = "yes", usd: float = 0.5) -> dict:
    return {"kind": "answer", "key": key, "completion": text, "finish_reason": "stop", "served_model": "m", "prompt_tokens": 1,
            "completion_tokens": 1, "cached_tokens": 0, "usd": usd, "via": "chat", "at": "now"}  # fmt: skip


def sent(key: str, usd: float = 2.0) -> dict:
    return {"kind": "sent", "key": key, "usd": usd, "at": "now"}


def segment(folder: Path, name: str, *rows: dict, tail: str = "") -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)


def test_what_is_appended_is_read_and_a_torn_line_is_skipped(tmp_path: Path) -> None:
    with Segment.create(tmp_path) as written:
        written.append(answer("a"))
        assert Ledger([tmp_path]).answers({"a"})["a"]["completion"] == "yes", "on the disk before the segment is closed"
    segment(tmp_path, "9", answer("b"), tail='{"kind": "answer", "key": "c", "compl')
    ledger = Ledger([tmp_path])
    assert ledger.answers({"a", "b", "c"}).keys() == {"a", "b"}
    assert ledger.num_torn == 1


def test_an_empty_segment_leaves_no_file(tmp_path: Path) -> None:
    with Segment.create(tmp_path):
        pass
    assert not list(tmp_path.glob("*.jsonl"))


def test_of_two_answers_the_earlier_segments_stands_whatever_the_folder(tmp_path: Path) -> None:
    segment(tmp_path / "live", "2", answer("a", "late"))
    segment(tmp_path / "published", "1", answer("a", "early"))
    segment(tmp_path / "published", "2", answer("a", "late"))
    ledger = Ledger([tmp_path / "live", tmp_path / "published"])
    assert len(ledger.segments) == 2
    assert ledger.answers({"a"})["a"]["completion"] == "early"


def test_a_call_without_an_end_counts_at_its_worst(tmp_path: Path) -> None:
    failure = {"kind": "failure", "key": "c", "reason": "timeout", "usd": 2.0, "at": "now"}
    segment(tmp_path, "1", sent("a"), answer("a"), sent("b"), sent("c"), failure, sent("c"), answer("c"))
    segment(tmp_path, "2", {**answer("z"), "via": "import", "usd": 9.0})
    assert Ledger([tmp_path]).spent_usd() == pytest.approx(0.5 + 2.0 + 2.0 + 0.5)


def test_open_batches_are_known_and_cost_their_worst(tmp_path: Path) -> None:
    batch = {"kind": "batch", "batch_id": "b1", "keys": ["a"], "usd": 3.0, "at": "now"}
    segment(
        tmp_path,
        "1",
        batch,
        {**batch, "batch_id": "b2"},
        {"kind": "batch_end", "batch_id": "b2", "status": "completed"},
    )
    ledger = Ledger([tmp_path])
    assert list(ledger.open_batches()) == ["b1"]
    assert ledger.spent_usd() == 3.0


def test_one_run_at_a_time_buys(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(StageError, match="another run is buying"), hold(tmp_path):
        pass


def test_prices_count_cached_tokens_and_batches() -> None:
    price = Price(prompt=2.0, cached=0.5, completion=8.0, batch_factor=0.5)
    assert price.usd(1_000_000, 500_000, cached_tokens=400_000) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
    assert price.usd(1_000_000, 0, is_batch=True) == 1.0
    messages = [{"role": "user", "content": "größer"}]
    assert price.worst_usd(messages, 100) >= price.usd(len("größer".encode()), 100)


def test_an_unknown_model_names_the_file_to_edit() -> None:
    with pytest.raises(StageError, match=r"prices\.yaml"):
        load_price("gpt-4")
    assert load_price("gpt-4o-mini-2024-07-18").completion == 0.6


def test_a_broken_price_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prices.yaml"
    monkeypatch.setenv("TEACHER_PRICES", str(path))
    with pytest.raises(StageError, match="not a table of prices"):
        load_price("m")
    path.write_text("models:\n  m: {prompt: 1}\n")
    with pytest.raises(StageError, match=r"models\.m must have"):
        load_price("m")
    assert pricing.prices_file() == path


@pytest.mark.parametrize("seed", range(200))
def test_spending_never_passes_the_budget(seed: int) -> None:
    """Random prices, concurrencies from 1 to 256, failures billed and not; what is spent and reserved stays within."""
    rng = random.Random(seed)
    limit, concurrency = rng.uniform(0.001, 2.0), rng.choice([1, 2, 7, 16, 64, 256])
    budget = Budget(limit, spent_usd=limit * rng.choice([0.0, 0.0, 0.3, 1.0]))
    before, paid, refused = budget.spent_usd, 0.0, 0
    queue = iter([rng.uniform(0.0, 0.05) for _ in range(400)])

    async def worker() -> None:
        nonlocal paid, refused
        for worst in queue:
            if not await budget.reserve(worst):
                refused += 1
                return
            assert budget.spent_usd + budget.reserved_usd <= limit + 1e-9
            await asyncio.sleep(0)
            actual = worst * rng.choice([0.0, 0.3, 1.0])
            paid += actual
            await budget.settle(worst, actual)

    async def run() -> None:
        await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(concurrency))), 30)

    asyncio.run(run())
    assert before + paid <= limit + 1e-9
    assert budget.spent_usd == pytest.approx(before + paid)
    assert refused or next(queue, None) is None
