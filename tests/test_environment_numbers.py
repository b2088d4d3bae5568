"""Numbers in environment variables: what is none is told with its name and value."""

from pathlib import Path

import pytest

from stages.core.command import StageError, worker_count
from stages.core.environment import amount_in, count_in
from stages.generation.engine import gpus_of_a_copy
from stages.generation.meter import Meter
from stages.generation.vllm_engine import tensor_parallel_size
from stages.training.checkpoints import Checkpoints


def test_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOW_MANY", raising=False)
    assert (count_in("HOW_MANY"), count_in("HOW_MANY", 3), amount_in("HOW_MANY", None)) == (0, 3, None)
    for told, count, amount in (("", 3, 0.5), ("0", 0, 0.0), (" 8 ", 8, 8.0)):
        monkeypatch.setenv("HOW_MANY", told)
        assert (count_in("HOW_MANY", 3), amount_in("HOW_MANY", 0.5)) == (count, amount)
    monkeypatch.setenv("HOW_MANY", "2.5e1")
    assert amount_in("HOW_MANY", None) == 25.0


@pytest.mark.parametrize("told", ["eight", "-1", "2.5", "\u0663", "0x8"])
def test_what_is_no_count_is_told(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW_MANY", told)
    with pytest.raises(StageError, match=r"^HOW_MANY is .*, not a whole number"):
        count_in("HOW_MANY")


@pytest.mark.parametrize("told", ["2,50", "-1", "nan", "inf", "free"])
def test_what_is_no_amount_is_told(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOW_MANY", told)
    with pytest.raises(StageError, match=r"^HOW_MANY is .*, not a number of at least 0"):
        amount_in("HOW_MANY", None)


READERS = {
    "NINECHAPTERS_WORKERS": worker_count,
    "NINECHAPTERS_TENSOR_PARALLEL": gpus_of_a_copy,
    "NINECHAPTERS_USD_PER_GPU_HOUR": lambda: Meter("t", 1),
    "NINECHAPTERS_CHECKPOINT_SECONDS": lambda: Checkpoints(Path("work")),
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_tells_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1,5")
    with pytest.raises(StageError, match=f"^{name} is '1,5', not a "):
        READERS[name]()
    if name == "NINECHAPTERS_TENSOR_PARALLEL":
        with pytest.raises(StageError, match=name):
            tensor_parallel_size(Path("model"))
