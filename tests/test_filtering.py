"""The filter's rules and the stage that applies them."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from stages.core.tables import read_table, write_table
from stages.execution.sandbox import Execution
from stages.filtering.filter_problems import main as filter_problems
from stages.filtering.rules import (
    calculate,
    check_claimed_answer,
    check_equations,
    check_length,
    check_program,
    check_repetition,
    check_self_contained,
    with_real_output,
)
from tests.tiny import benchmark_row, problem_row

RULES = "--long-words 13 --short-words 8 --min-coverage 0.5 --no-abstract-numbers".split()
TOOL = "```python\nprint(6 * 7)\n```\n```output\n41\n```\nThe answer is \\boxed{42}."


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("3 + 4", 7),
        ("3+4*5", 23),
        ("10/4", Fraction(5, 2)),
        ("2-5", -3),
        ("8 \\times 9", 72),
        ("7 ÷ 2", Fraction(7, 2)),
        ("1/0", None),
    ],
)
def test_calculate(expression: str, value: object) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("solution", "is_wrong"),
    [
        ("3 + 4 = 7", False), ("3 + 4 = 8", True), ("10/3 = 3.33", False), ("10/3 = 3.4", True), ("5/10 = 1/2", False),
        ("x + 3 + 4 = 7", False), ("2^3 + 4 = 12", False), ("so 12 * 12 = 144 and 144 - 4 = 130", True),
        ("3 + 4 = 7.5", True), ("f(2) + 3 = 9", False), ("17 // 5 = 3", False), ("1 + 2 = 3x", False),
    ],
)  # fmt: skip
def test_equations_are_checked_exactly(solution: str, is_wrong: bool) -> None:
    assert (check_equations(problem_row(solution=solution)) is not None) == is_wrong


def test_an_answer_must_occur_in_the_working() -> None:
    assert check_claimed_answer(problem_row()) is None
    fault = check_claimed_answer(problem_row(solution="3+4=7\nThe answer is \\boxed{9}.", answer="9"))
    assert fault
    assert fault.reason == "answer_not_derived"


def test_programs_must_run_and_agree() -> None:
    row = problem_row(mode="tool", solution=TOOL, answer="42")
    assert check_program(row, Execution("ok", "42\n", "")) is None
    for execution, reason in [
        (Execution("ok", "41\n", ""), "program_disagrees"),
        (Execution("ok", "\n", ""), "program_silent"),
        (Execution("timeout", "", ""), "program_timeout"),
        (Execution("error", "", "NameError"), "program_error"),
    ]:
        fault = check_program(row, execution)
        assert fault
        assert fault.reason == reason


def test_the_real_output_takes_the_place_of_the_claimed_one() -> None:
    row = with_real_output(problem_row(mode="tool", solution=TOOL), Execution("ok", "4\\2\n", ""))
    assert "```output\n4\\2\n```" in row["solution"]
    assert "41" not in row["solution"]


def test_the_other_rules() -> None:
    assert check_self_contained(problem_row(problem="In the figure above, find x."))
    assert check_length(problem_row(problem="Find x."))
    assert check_repetition(problem_row(problem="the cat and the dog " * 20))
    for rule in (check_self_contained, check_length, check_repetition):
        assert rule(problem_row()) is None


@pytest.mark.sandbox
def test_the_stage_keeps_good_problems_and_counts_the_others(tmp_path: Path) -> None:
    benchmark = benchmark_row()
    write_table("benchmarks", [benchmark], tmp_path / "benchmarks/b.parquet")
    rows = [
        problem_row(problem_id="good"),
        problem_row(problem_id="twin"),
        problem_row(
            problem_id="wrong", problem="Other words. How many apples are there?", solution="3+4=8\n\\boxed{8}"
        ),
        problem_row(
            problem_id="tool", problem="What is six times seven, please?", mode="tool", solution=TOOL, answer="42"
        ),
        problem_row(problem_id="leak", problem=benchmark["problem"], solution="9-2=7\n\\boxed{7}"),
    ]
    write_table("problems", rows, tmp_path / "s/problems.parquet")
    write_table("rejected", [{**problem_row(), "reason": "tags", "detail": ""}], tmp_path / "s/rejected.parquet")
    arguments = ["s", "benchmarks", "out", "m.json", "funnel.csv"]
    result = CliRunner().invoke(filter_problems, [str(tmp_path / a) for a in arguments] + ["--benchmark", "b", *RULES])
    assert result.exit_code == 0, result.output
    assert [row["problem_id"] for row in read_table("problems", tmp_path / "out/problems.parquet")] == ["good", "tool"]
    figures = json.loads((tmp_path / "m.json").read_text())
    assert figures["rejected"] == {"contaminated": 1, "duplicate": 1, "equation": 1, "tags": 1}
    assert (figures["num_made"], figures["num_kept"]) == (6, 2)
    assert (tmp_path / "funnel.csv").read_text().splitlines()[1] == "made,6"
