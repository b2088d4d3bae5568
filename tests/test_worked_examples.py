"""Worked examples before a prompt: whole problems in every form, part of the key, and no problems of the round."""

import json
import subprocess
import sys
from typing import Any

import pytest

from stages.distillation.requests import build_requests
from stages.distillation.sections import RequestPlan
from stages.distillation.sorting import read_completion
from stages.filtering.sections import FilterSettings
from stages.filtering.text_rules import find_text_fault
from stages.problems.example_problems import MAX_EXAMPLES, is_example
from stages.problems.fences import code_blocks
from stages.problems.grammar import Parsed
from stages.problems.json_form import parse_json_form
from stages.problems.json_schema import schema_of
from stages.problems.repair import parse_repaired
from stages.problems.worked_examples import example_turns
from tests.test_structured_outputs import fits

FORMS = ("tags", "json", "bounded_json")
RULES = FilterSettings(
    min_words=5, max_words=400, max_solution_words=1000, max_repeated=0.5, max_foreign=0.65, let_through=()
)


def answers(mode: str, form: Any) -> list[str]:
    return [turn["content"] for turn in example_turns(mode, form, MAX_EXAMPLES) if turn["role"] == "assistant"]


def asked(form: Any, num_examples: int) -> list[dict]:
    plan = RequestPlan("local", num_samples=10, tool_frac=0.5, level_choice="fit", temperature=0.6, max_tokens=200, form=form,
                       num_examples=num_examples)  # fmt: skip
    return build_requests({"text_id": "t", "text": "Three apples lie on a table."}, "initial", plan)


@pytest.mark.parametrize("mode", ["cot", "tool"])
@pytest.mark.parametrize("form", FORMS)
def test_an_example_is_a_whole_problem_that_the_filter_keeps(mode: str, form: Any) -> None:
    parse = parse_repaired if form == "tags" else parse_json_form
    problems = [parse(answer, mode, "stop") for answer in answers(mode, form)]
    assert len(problems) == MAX_EXAMPLES
    for parsed, repairs in problems:
        assert isinstance(parsed, Parsed), parsed
        assert repairs == []
        assert find_text_fault({**vars(parsed), "mode": mode}, RULES) is None
        assert is_example(parsed.problem, mode)
    assert problems == [parse_repaired(answer, mode, "stop") for answer in answers(mode, "tags")]
    if form == "bounded_json":
        assert all(fits(json.loads(answer), schema_of(mode, "grade", is_bounded=True)) for answer in answers(mode, form))  # fmt: skip


def test_the_programs_print_what_stands_there() -> None:
    for answer in answers("tool", "tags"):
        lines = answer.split("\n")
        program, output = ("\n".join(lines[block.first + 1 : block.last]) for block in code_blocks(lines) or [])
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == output


@pytest.mark.parametrize("form", FORMS)
def test_examples_stand_before_the_prompt_and_are_part_of_the_key(form: Any) -> None:
    none, two = asked(form, 0), asked(form, 2)
    assert {row["mode"] for row in two} == {"cot", "tool"}
    for bare, row in zip(none, two, strict=True):
        messages = json.loads(row["messages"])
        assert [turn["role"] for turn in messages] == ["user", "assistant", "user", "assistant", "user"]
        assert messages[-1:] == json.loads(bare["messages"])
        assert messages[:-1] == example_turns(row["mode"], form, 2)
        assert row["request_id"] != bare["request_id"]


@pytest.mark.parametrize("mode", ["cot", "tool"])
@pytest.mark.parametrize("form", FORMS)
def test_an_example_that_is_repeated_is_no_problem(mode: str, form: Any) -> None:
    """Where none was shown, the same words are the teacher's own."""
    for num_examples, reason in ((2, "copied"), (0, None)):
        row = next(row for row in asked(form, num_examples) if row["mode"] == mode)
        answer = answers(mode, form)[1]
        _, rejection, _ = read_completion(row, {"completion": answer, "finish_reason": "stop", "served_model": "m"})
        assert (rejection.reason if rejection else None) == reason
