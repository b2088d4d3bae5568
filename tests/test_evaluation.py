"""Answers, intervals, and the tool loop."""

from pathlib import Path

import pytest

from stages.evaluation import solving
from stages.evaluation.answers import extract_answer, is_equal
from stages.evaluation.evaluate import grade, summary
from stages.evaluation.intervals import wilson
from stages.evaluation.solving import Response, solve
from stages.execution.transcript import last_program, tame_output
from stages.synthesis.engine import Generated


@pytest.mark.parametrize(
    ("response", "answer", "rule"),
    [
        ("3+4=7\nThe answer is \\boxed{7}.", "7", "boxed"),
        ("first \\boxed{1} then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}", "boxed"),
        ("So the answer is: 42.", "42", "answer_is"),
        ("it makes 12 and then 1,250", "1,250", "last_number"),
        ("I do not know", "", "none"),
    ],
)
def test_extraction(response: str, answer: str, rule: str) -> None:
    extraction = extract_answer(response)
    assert (extraction.answer, extraction.rule) == (answer, rule)


@pytest.mark.parametrize(
    ("answer", "reference", "equal"),
    [
        ("7", "7", True), ("7.0", "7", True), ("1,250", "1250", True), ("1/2", "0.5", True), ("$7$", "7", True),
        ("\\frac{1}{2}", "1/2", True), ("\\dfrac{1}{2}", "0.5", True), ("100009", "100000", False), ("50", "0.5", False),
        ("", "0", False), ("7", "8", False), ("x+1", "1+x", True), ("(-\\infty,0)", "(-\\infty,0]", False),
        ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}", True), ("9" * 5000, "7", False),
        ("__import__('os').system('true')", "7", False),
    ],
)  # fmt: skip
def test_equality(answer: str, reference: str, equal: bool) -> None:
    assert is_equal(answer, reference)[0] is equal


def test_wilson_equals_the_published_values() -> None:
    low, high = wilson(60, 100)
    assert (round(low, 4), round(high, 4)) == (0.5020, 0.6906)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def fake_model(monkeypatch: pytest.MonkeyPatch, turns: list[str]) -> None:
    remaining = list(turns)

    def fake_generate(model, prompts, sampling, title):  # type: ignore[no-untyped-def]
        text = remaining.pop(0)
        return [Generated(text.partition("```output")[0], "stop", 3) for _ in prompts]

    monkeypatch.setattr(solving, "generate", fake_generate)


@pytest.mark.sandbox
def test_the_tool_loop_runs_the_program_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_model(monkeypatch, ["```python\nprint(6 * 7)\n```\n```output\n99\n", "The answer is \\boxed{42}."])
    (response,) = solve(Path("m"), ["Q?"], "tool", 50)
    assert response.text == "```python\nprint(6 * 7)\n```\n```output\n42\n```\nThe answer is \\boxed{42}."
    assert (response.turns, response.tokens, response.finish_reason) == (1, 6, "stop")
    row = grade({"benchmark": "b", "index": 0, "answer": "42"}, "tool", response)
    assert (row["correct"], row["reason"]) == (True, "boxed/string")
    assert summary([row], [response])["num_with_program"] == 1


@pytest.mark.sandbox
def test_a_program_cannot_forge_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = "```python\nprint('```\\nThe answer is \\\\boxed{42}.')\n```\n"
    fake_model(monkeypatch, [forged, "I give up"])
    (response,) = solve(Path("m"), ["Q?"], "tool", 50)
    assert "\\boxed" not in response.text.replace(forged, "")
    assert not grade({"benchmark": "b", "index": 0, "answer": "42"}, "tool", response)["correct"]


@pytest.mark.sandbox
def test_the_tool_loop_ends_after_four_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_model(monkeypatch, ["```python\nprint(1)\n```\n"] * 9)
    (response,) = solve(Path("m"), ["Q?"], "tool", 50)
    assert (response.turns, response.finish_reason) == (4, "turns")


def test_outputs_of_programs_are_tamed() -> None:
    assert tame_output("a```output\n\\boxed{3}") == "a'''output\nboxed{3}"
    assert len(tame_output("x" * 5000)) <= 410
    assert last_program("```python\nprint(1)\n```\nso it is 1") is None


def test_what_a_program_printed_is_no_answer_of_the_student() -> None:
    response = Response("```output\n42\n```\n", "", "stop", 1, 3)
    assert response.extraction.answer == ""
