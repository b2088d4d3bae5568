"""The headline of a run: few numbers, whatever the run holds; and what `dvc plots` draws."""

import json
from typing import Any

import pytest

from stages.reporting.headline import headline
from tests.conftest import ROOT


def figures_of(*students: str, **parts: Any) -> dict[str, Any]:
    tasks = {"grade": {"cot": {"accuracy": 0.5}, "tool": {"accuracy": 0.7}}, "secondary": {"cot": {"accuracy": 0.25}}}
    accuracy = {"pretrained": tasks, "gain_points": {"grade": {"cot": 40.0, "tool": 60.0}, "secondary": {"cot": 5.0}}}
    return {
        "filter": {"num_kept": 3177, "kept_frac": 0.69671}, "value": {"reliability": 0.6412},
        "distillation": {"initial": {"usd": 1.25}, "boost": {"usd": 0.5}},
        "accuracy": dict.fromkeys(students, accuracy), "reference_loss": {}, **parts,
    }  # fmt: skip


def numbers_in(record: Any) -> int:
    return sum(map(numbers_in, record.values())) if isinstance(record, dict) else 1


def test_means_over_the_benchmarks_that_have_a_mode() -> None:
    losses = {"llama": {"pretrained": {"grade": {"nats_per_token": 0.4}, "secondary": {"nats_per_token": 0.3}}}}
    assert headline(figures_of("llama", reference_loss=losses)) == {
        "problems": 3177, "kept": 0.697, "reliability": 0.641, "usd": 1.75,
        "llama": {"cot": 0.375, "tool": 0.7, "gain": 35.0, "loss": 0.35},
    }  # fmt: skip


def test_what_was_not_measured_is_left_out() -> None:
    assert "loss" not in headline(figures_of("llama"))["llama"]
    empty = {"accuracy": {"llama": {"pretrained": {}, "gain_points": {}}}}
    assert headline(figures_of(**empty))["llama"] == {}


@pytest.mark.parametrize("count", [1, 4, 30])
def test_there_are_at_most_twenty_numbers(count: int) -> None:
    students = [f"student-{number:02}" for number in range(count)]
    losses = {name: {"pretrained": {"grade": {"nats_per_token": 0.4}}} for name in students}
    found = headline(figures_of(*students, reference_loss=losses))
    assert numbers_in(found) == 4 + 4 * min(count, 4)


def test_a_student_may_be_called_as_a_number_is() -> None:
    found = headline(figures_of("kept"))
    assert found["kept"] == 0.697
    assert found["kept (student)"]["tool"] == 0.7


def test_the_funnel_s_plot_keeps_the_order_of_the_steps() -> None:
    assert spec("funnel")["encoding"]["y"]["sort"] is None


def test_the_accuracies_plot_draws_the_intervals_that_the_table_has() -> None:
    drawn = spec("accuracy")
    fields = {channel["field"] for layer in drawn["layer"] for channel in layer["encoding"].values()}
    assert {"low_95", "high_95"} <= fields
    assert drawn["encoding"]["color"]["field"] == "series"


def spec(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f".dvc/plots/{name}.json").read_text())
