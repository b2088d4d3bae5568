"""Thoughts of reasoning models are taken off once, by one function, for teacher, student and solver; and nothing else is."""

import time
from pathlib import Path

import pytest

from stages.evaluation.predictions import prediction_of
from stages.evaluation.solving import Response
from stages.filtering import agreement
from stages.filtering.sections import AgreementSettings
from stages.generation.turns import Transcript
from stages.grading.extraction import extract_answer
from stages.problems.grammar import Parsed, Rejection
from stages.problems.repair import parse_repaired
from stages.problems.thoughts import without_thoughts
from tests.tiny import benchmark_row

PROBLEM = "[Problem]\nWhat is 3+4?\n[Solution]\n3+4=7\nThe answer is \\boxed{7}.\n[End]"
HARMONY = "<|channel|>analysis<|message|>Is it 6?<|end|><|start|>assistant<|channel|>final<|message|>"
# Each ends where the answer begins.
THOUGHTS = {
    "plain": "<think>Is it \\boxed{6}?</think>\n\n",
    "not opened": "Is it \\boxed{6}?\n</think>\n\n",
    "not opened, in the line": "Is it \\boxed{6}?</think>",
    "nested": "<think>Is <think>it</think> \\boxed{6}?</think>\n",
    "speaks of its mark": "<think>I use <think> for that. \\boxed{6}?</think>\n",
    "speaks of its end": "<think>It ends with `</think>`, then \\boxed{6}?</think>\n",
    "several": "<think>One.</think>\n<think>Two: \\boxed{6}.</think>\n",
    "capitals": "<THINK>\\boxed{6}</THINK>\n",
    "thinking": "<thinking>\\boxed{6}</thinking>\n",
    "thought": "<thought>\\boxed{6}</thought>\n",
    "reasoning": "<reasoning>\n\\boxed{6}\n</reasoning>\n",
    "escaped": "&lt;think&gt;\\boxed{6}&lt;/think&gt;\n",
    "Kimi": "◁think▷\\boxed{6}◁/think▷",
    "Magistral": "[THINK]\\boxed{6}[/THINK]",
    "Seed-OSS": "<seed:think>\\boxed{6}</seed:think>",
    "Sky-T1": "<|begin_of_thought|>\\boxed{6}<|end_of_thought|>\n",
    "Command A": "<|START_THINKING|>\\boxed{6}<|END_THINKING|>",
    "Gemma 4": "<|channel>thought\n\\boxed{6}<channel|>",
    "gpt-oss": HARMONY,
    "gpt-oss, not opened": "Is it 6?<|end|><|start|>assistant<|channel|>final<|message|>",
    "gpt-oss, commentary": f"<|channel|>commentary<|message|>x<|end|><|start|>assistant{HARMONY}",
    "gpt-oss, marks stripped": "analysisIs it 6?assistantfinal",
    "with the grammar's tags": "<think>[Problem] 2+4? [Solution] \\boxed{6} [End]</think>\n",
    "tags, not opened": "[Problem]\n2+4?\n[Solution]\n\\boxed{6}\n[End]\n</think>\n",
    "an open program": "<think>\n```python\nprint(6)\n</think>\n",
    "a role before it": "<|im_start|>assistant\n<think>\\boxed{6}</think>\n",
}
ALL_THOUGHT = [
    "<think>", "<think>It is \\boxed{6}", "  <thinking>\nIt is \\boxed{6}.\n", "<think>\\boxed{6}</think>", "It is \\boxed{6}.</think>",
    "<|channel|>analysis<|message|>It is \\boxed{6}", "◁think▷It is \\boxed{6}", "<think>a</think>\n<think>\\boxed{6}",
]  # fmt: skip
ORDINARY = [
    "What does `<think>` do?", "Let a <think> b mean that a follows b.", "The tags <think> and </think> stand for a pair.",
    'It closes with "</think>".', "```html\n<think>\nhm\n</think>\n```\nHow many lines?", "~~~\n</think>\n~~~\nWhat is it?",
    "If x < think > y, what is x?", "We reason: 3 < 4 and 5 > 4.", "The token <|channel|> is special.", "analysis of the assistant",
    "", "no marks \n", "[think] is no mark", PROBLEM,
]  # fmt: skip


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_thought_is_taken_off_for_all(name: str) -> None:
    """For the teacher's problem, and for the answer of a student and of a solver."""
    assert without_thoughts(THOUGHTS[name] + PROBLEM) == PROBLEM
    parsed, repairs = parse_repaired(THOUGHTS[name] + PROBLEM, "cot", "stop")
    assert parsed == Parsed("What is 3+4?", "3+4=7\nThe answer is \\boxed{7}.", "7")
    assert repairs == ["thoughts"]
    assert extract_answer(f"{THOUGHTS[name]}The answer is \\boxed{{7}}.").answer == "7"


@pytest.mark.parametrize("text", ALL_THOUGHT)
def test_what_is_all_thought_has_no_answer(text: str) -> None:
    assert without_thoughts(text) == ""
    rejection, repairs = parse_repaired(text, "cot", "stop")
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, repairs) == ("thought", [])
    cut, _ = parse_repaired(text, "cot", "length")
    assert isinstance(cut, Rejection)
    assert cut.reason == "truncated"
    assert extract_answer(text).rule == "none"
    row = prediction_of(benchmark_row(answer="6"), "cot", 0, Response(text, text, "stop", (), 9), False)
    assert (row["correct"], row["extracted"], row["flags"]) == (False, "", ["only_thought"])


@pytest.mark.parametrize("text", ORDINARY)
def test_a_text_that_speaks_of_a_mark_stays(text: str) -> None:
    assert without_thoughts(text) == text


@pytest.mark.parametrize(
    "mention", ["What does </think> close? 3+4?", "Is it <think>? 3+4?", "What is <think>3</think> plus 4?"]
)
def test_a_whole_problem_about_marks_is_kept(mention: str) -> None:
    parsed, repairs = parse_repaired(PROBLEM.replace("What is 3+4?", mention), "cot", "stop")
    assert isinstance(parsed, Parsed)
    assert (parsed.problem, repairs) == (mention, [])


def test_a_second_look_finds_no_thought() -> None:
    for text in [*ORDINARY, *ALL_THOUGHT, *(thought + PROBLEM for thought in THOUGHTS.values())]:
        once = without_thoughts(text)
        assert without_thoughts(once) == once


def test_a_thought_between_two_parts_leaves_both() -> None:
    text = "<think>a</think>First. <think>b</think> Second.\n<think>\nc\n</think>\nThird."
    assert without_thoughts(text).split() == ["First.", "Second.", "Third."]


@pytest.mark.parametrize(
    "text", ["x <think> " * 40_000, "<think>" * 60_000, "</think>" * 60_000, "x <think> a </think> " * 20_000, "`" * 200_000 + "<think>",
             "~~~a\n" * 40_000 + "</think>", "< " * 100_000 + "<think>", "<|channel|>final" * 20_000]
)  # fmt: skip
def test_long_texts_take_no_longer_than_they_are(text: str) -> None:
    start = time.process_time()
    without_thoughts(text)
    assert time.process_time() - start < 1.5


def test_a_thought_that_breaks_off_in_a_program_hides_no_answer() -> None:
    text = "<think>\n```python\nprint(6)</think>\nThe answer is \\boxed{7}."
    assert extract_answer(Response(text, text, "stop", (), 9).answering).answer == "7"


def test_a_solver_that_thinks_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """`[End]` in a thought ends nothing."""
    written = [Transcript(text=f"<think>maybe [End] {n}</think>The answer is \\boxed{{7}}.") for n in range(3)]
    monkeypatch.setattr(agreement, "write_in_turns", lambda *args: [written.pop()])
    row = {
        "problem_id": "p",
        "problem": "What is 3+4?",
        "answer": "7",
        "mode": "cot",
        "prompt": "grade",
        "text": "3 and 4",
    }
    settings = AgreementSettings(0.9, 3, 0.6, "student", 0.7, 9)
    assert agreement.disagreements([row], Path("solver"), settings) == {}
