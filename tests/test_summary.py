"""The page's first screen: the gain and its interval, the problem traced to its text, the profile and the seeds."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.core.table_writer import write_table
from stages.project import check_project
from stages.project.nearest_profile import profile_record
from stages.reporting.student_summaries import mean_gain
from stages.reporting.traced_example import typical_problem
from stages.statistics.comparison import TaskComparison
from stages.statistics.paired import Paired, paired
from tests.conftest import ROOT
from tests.tiny import problem_row


def task(benchmark: str, mode: str, difference: float, error: float) -> TaskComparison:
    numbers = Paired(0, 0, 0, 0, difference, error, 0.0, 0.0, 1.0)
    return TaskComparison(benchmark, mode, numbers, 1.0, {})


def test_errors_of_benchmarks_add_as_squares_and_those_of_modes_whole() -> None:
    tasks = [task("a", "cot", 0.2, 0.03), task("b", "cot", 0.4, 0.04), task("a", "tool", 0.0, 0.05)]
    gain, error = mean_gain(tasks)
    assert gain == pytest.approx(0.2)
    assert error == pytest.approx((math.hypot(0.03, 0.04) + 0.05) / 3)


def test_one_task_has_its_own_error() -> None:
    numbers = paired(10, 3, 9, 28)
    gain, error = mean_gain([TaskComparison("a", "cot", numbers, 1.0, {})])
    assert (gain, error) == (numbers.difference, numbers.error)


def tables(data: Path, lengths: list[int], mode_of: Any = lambda number: "cot") -> None:
    rows = [
        problem_row(problem_id=f"p{i}", text_id=f"t{i}") | {"problem": "x" * length, "solution": "", "mode": mode_of(i)}
        for i, length in enumerate(lengths)
    ]
    texts = [
        {"text_id": f"t{i}", "source": "wiki", "title": "", "url": "", "license": "CC0-1.0", "text": f"Text {i}."}
        for i in range(len(lengths))
    ]
    write_table("problems", rows, data / "synthetic/problems.parquet")
    write_table("texts", texts, data / "texts/synthesis.parquet")


def test_the_example_is_the_problem_of_median_length_with_its_text_and_prompt(tmp_path: Path) -> None:
    tables(tmp_path, [10, 900, 50, 20, 60])
    example = typical_problem(tmp_path)
    assert example
    assert (example["problem_id"], example["text"]["text"]) == ("p2", "Text 2.")
    assert "Text 2." in example["asked"]
    assert example == typical_problem(tmp_path)


def test_the_example_is_in_the_mode_that_most_problems_are_in(tmp_path: Path) -> None:
    tables(tmp_path, [10, 50, 90, 50, 50], lambda number: "tool" if number < 3 else "cot")
    assert (typical_problem(tmp_path) or {})["problem_id"] == "p1"


def test_without_problems_there_is_no_example(tmp_path: Path) -> None:
    tables(tmp_path, [])
    assert typical_problem(tmp_path) is None


def test_the_nearest_profile_is_named_with_what_differs(tmp_path: Path) -> None:
    for name, text in {"far": "a: {x: 3, y: 4}\n", "near": "a: {x: 1, y: 2, seed: 5}\nstudents: [one]\n"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    params = {"a": {"x": 1, "y": 9, "seed": 5, "projection_seed": 1}, "students": ["one"]}
    assert profile_record(params, tmp_path) == {
        "profile": "near",
        "num_changed": 2,
        "changed": ["a.projection_seed", "a.y"],
        "seeds": [1, 5],
    }
    assert profile_record({"a": {"x": 3, "y": 4}}, tmp_path)["num_changed"] == 0
    assert profile_record(params, tmp_path / "none") == {
        "profile": "",
        "num_changed": 0,
        "changed": [],
        "seeds": [1, 5],
    }


def test_what_is_written_beside_the_code_stays(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text("{}")
    (tmp_path / "gone.json").write_text("{}")
    check_project.write_code(ROOT, tmp_path)
    assert (tmp_path / "profile.json").exists()
    assert not (tmp_path / "gone.json").exists()


def test_no_loss_is_told_before_the_first_is_known(tmp_path: Path) -> None:
    from stages.training.curve import Curve

    curve = Curve("pretrain tiny", 10, 50.0, tmp_path)
    state: Any = SimpleNamespace(is_world_process_zero=True)
    curve.on_step_end(state, state, state)
    assert "loss" not in curve.tracker.note
    curve.last_loss = 2.5
    curve.on_step_end(state, state, state)
    assert curve.tracker.note.startswith("loss 2.500, ")
