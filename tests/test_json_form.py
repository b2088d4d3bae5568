"""Problems as JSON: what is read, what is repaired, and what is not."""

import json
import time

import pytest

from stages.distillation.sorting import read_completion
from stages.generation.replies import thought_of
from stages.problems.grammar import Parsed, Rejection
from stages.problems.json_form import parse_json_form
from stages.problems.json_schema import schema_of
from stages.problems.level_names import LEVELS
from stages.problems.prompts import fill_prompt

COT = {"problem": "What is 3+4?", "solution": "3+4=7\nThe answer is \\boxed{7}.", "answer": "7"}
TOOL = {"problem": "What is 3+4?", "program": "print(3 + 4)", "output": "7", "answer": "7"}
WHOLE = Parsed("What is 3+4?", COT["solution"], "7")


@pytest.mark.parametrize(
    ("completion", "repairs"),
    [
        (json.dumps(COT), []),
        (json.dumps(COT, indent=2), []),
        (json.dumps({**COT, "solution": "3+4=7"}), []),
        (json.dumps({**COT, "answer": "\\boxed{7}"}), []),
        (json.dumps({**COT, "answer": "$7$"}), []),
        (json.dumps({**COT, "answer": 7}), []),
        (f"```json\n{json.dumps(COT)}\n```", ["fence"]),
        (f"Sure:\n{json.dumps(COT)}", ["talk_before"]),
        (f"{json.dumps(COT)}\nDone.", ["talk_after"]),
        (f"<think>{{draft}}</think>{json.dumps(COT)}", ["thoughts"]),
        (json.dumps(COT)[:-1] + ",}", ["json_comma"]),
        (json.dumps({**COT, "solution": COT["solution"].split("\n")}), ["json_lines"]),
        (json.dumps({name.title(): text for name, text in COT.items()}), ["json_keys"]),
        (json.dumps(COT).replace("\\\\boxed", "\\boxed"), ["json_escapes"]),
        (json.dumps({**COT, "solution": "3+4=\\boxed{7}\nThe answer is \\boxed{7}."}), ["boxes"]),
        (json.dumps({"question": COT["problem"], "solution": "3+4=7", "final_answer": "7"}), ["json_keys"]),
        (json.dumps({"response": COT}), ["json_keys"]),
        (json.dumps({"problems": [COT]}), ["json_keys"]),
        (json.dumps({"type": "object", "properties": COT}), ["json_keys"]),
        (json.dumps({name: COT[name] for name in ("problem", "solution")}), ["json_answer"]),
        (json.dumps({**COT, "solution": [{"step": "3+4=7"}]}), ["json_lines"]),
        (json.dumps({**COT, "solution": {"step 1": "3+4=7"}}), ["json_lines"]),
        (json.dumps({**COT, "steps": ["3+4=7"], "solution": "3+4=7"}), []),
        (json.dumps({"problem": COT["problem"], "steps": ["3+4=7"], "answer": "7"}), []),
    ],
)
def test_a_problem_is_read(completion: str, repairs: list[str]) -> None:
    parsed, made = parse_json_form(completion, "cot", "stop")
    assert (parsed, made) == (WHOLE, repairs)


BROKEN = {
    "no comma": ('{"problem": "What is 3+4?"\n"solution": "3+4=7"\n"answer": "7"}', ["json_comma"]),
    "no bracket": ('{"problem": "What is 3+4?", "solution": "3+4=7", "answer": "7"', ["json_end"]),
    "no bracket after a number": ('{"problem": "What is 3+4?", "solution": "3+4=7", "answer": 7', ["json_end"]),
    "single quotes": ("{'problem': 'What is 3+4?', 'solution': '3+4=7', 'answer': '7'}", ["json_quotes"]),
    "typographic quotes": ("{“problem”: “What is 3+4?”, “solution”: “3+4=7”, “answer”: “7”}", ["json_quotes"]),
    "bare keys": ('{problem: "What is 3+4?", solution: "3+4=7", answer: 7}', ["json_quotes"]),
    "other names": ('{"Question": "What is 3+4?" "Steps": "3+4=7", "Answer": "7"}', ["json_comma"]),
    "a list": ('{"problem": "What is 3+4?" "steps": ["3+4=7"] "answer": "7"}', ["json_comma", "json_lines"]),
    "a comma too many": ('{"problem": "What is 3+4?",, "solution": "3+4=7", "answer": "7"}', None),
    "talk before": ('Sure: {"problem": "What is 3+4?" "solution": "3+4=7" "answer": "7"}', ["talk_before", "json_comma"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_an_object_that_is_broken_between_its_members(name: str) -> None:
    completion, repairs = BROKEN[name]
    parsed, made = parse_json_form(completion, "cot", "stop")
    assert (parsed, made) == (WHOLE, repairs) if repairs else isinstance(parsed, Rejection)


@pytest.mark.parametrize(
    "said", ['"go"', '"go", then "stop"', '"", and', 'a 3" pipe', '"answer"', '\\"go\\"', '"go" {now}']
)
def test_quotes_within_a_text(said: str) -> None:
    completion = f'{{"problem": "Tom said {said} here. What is 3+4?", "solution": "3+4=7", "answer": "7"}}'
    parsed, made = parse_json_form(completion, "cot", "stop")
    assert isinstance(parsed, Parsed), parsed
    assert parsed.problem == f"Tom said {said} here. What is 3+4?".replace('\\"', '"')
    assert made == ([] if "\\" in said else ["json_quotes"])


@pytest.mark.parametrize(
    "completion",
    ['{"problem": "a?" "solution": "b"}', '{"problem": "a?" "problem": "b?" "solution": "7" "answer": "7"}', '{"problem": "a?" "solution": "7" "answer": }',
     '{"problem": "a?" "hint": "none" "solution": "7" "answer": "7"}', '{"problem": "a?", "solution": "7", "answer": "7', '{problem}', "{'problem': }"],
)  # fmt: skip
def test_what_is_not_certain_is_not_restored(completion: str) -> None:
    parsed, made = parse_json_form(completion, "cot", "stop")
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, made) == ("json", [])


@pytest.mark.parametrize(
    ("rest", "repairs"),
    [("\nDone. The pro", ["talk_after"]), ("", []), ("\n\n\n", []), ("\n```\nHere", ["talk_after"])],
)
def test_what_follows_a_whole_object_may_be_cut_off(rest: str, repairs: list[str]) -> None:
    assert parse_json_form(json.dumps(COT) + rest, "cot", "length") == (WHOLE, repairs)
    for cut in (
        json.dumps(COT)[:-2],
        json.dumps(COT)[:-1],
        f"<think>{json.dumps(COT)}",
        json.dumps(COT) + '\n{"problem',
    ):
        parsed, made = parse_json_form(cut, "cot", "length")
        assert isinstance(parsed, Rejection)
        assert (parsed.reason, made) == ("truncated", [])


@pytest.mark.parametrize(
    "command",
    ["frac{1}{2}", "times", "text{cm}", "theta", "beta", "binom{4}{2}", "rho", "right)", "sqrt{2}", "neq 0", "nabla f", "underline{x}",
     "(x\\)", "{a\\}", "triangle", "alpha", "%", "boldsymbol{x}", "forall", "therefore", "tau"],
)  # fmt: skip
def test_a_backslash_of_latex_is_given_back(command: str) -> None:
    """Written once, as it should not be, and twice, as it should."""
    text = f"Is ${chr(92)}{command}$ 7?"
    once = f'{{"problem": "{text}", "solution": "It is.", "answer": "7"}}'
    for completion, repairs in ((once, ["json_escapes"]), (once.replace("\\", "\\\\"), [])):
        parsed, made = parse_json_form(completion, "cot", "stop")
        assert isinstance(parsed, Parsed), parsed
        assert (parsed.problem, made) == (text, repairs)


@pytest.mark.parametrize(
    "problem",
    [
        r"What is $\tan x$?", r"\tan x is 3.", r"Let $x \to 0$.", r"Is $A^\top$ whole?", r"Is \not x true?", r"Is \neg p true?",
        r"Is a \ne b?", r"Is $a\ne b$?", r"The frequency \nu is 3.", r"$\nu$ is 3.", r"Is $A \ni x$?", r"One \newline two.",
        r"Is $a \nmid b$ and $a \nless b$?", r"See \ref{a}.", r"$\lfloor x\rfloor$", r"$\langle x\rangle$", r"$\tanh x$", r"$\tbinom{4}{2}$",
        r"$A \nsubseteq B$", r"$x \nleq 3$", r"$a\rightarrow b$", r"\nu is 3.", r"Is \(a \ne b\)?", r"$a \nparallel b$",
        r"$\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}$", r"$\begin{pmatrix}1\\2\end{pmatrix}$", r"$\root 3 \of 8$", r"\triangle ABC, \rho",
    ],
)  # fmt: skip
def test_a_command_is_no_tab_and_no_end_of_a_line(problem: str) -> None:
    parsed, made = parse_json_form(f'{{"problem": "{problem}", "solution": "It is.", "answer": "7"}}', "cot", "stop")
    assert isinstance(parsed, Parsed), parsed
    assert (parsed.problem, made) == (problem, ["json_escapes"])


@pytest.mark.parametrize(
    "solution",
    [r"First.\neach is 7, so\nu = 7.", r"a\tan apple\tto eat, \\frac{1}{2}", r"$$\ne = 7\n$$", r"One\nexists, two\nmid-way, three\nnot_.",
     r"We have\nless than 8.", r"\\begin{aligned}a &= 3 \\\\\ne &= 4\\end{aligned}", r"Tom\tan\nTim\tto \\(\\tan x\\)"],
)  # fmt: skip
def test_a_line_end_stays_one(solution: str) -> None:
    completion = f'{{"problem": "3+4?", "solution": "{solution}", "answer": "7"}}'
    parsed, made = parse_json_form(completion, "cot", "stop")
    assert isinstance(parsed, Parsed), parsed
    assert (parsed.solution.rpartition("\n")[0], made) == (json.loads(completion)["solution"], [])


def test_a_program_keeps_its_tabs_and_line_ends() -> None:
    program = "def f():\n\to = 1\n\tbinom = 2\n\treturn o\nmid = 3\nnot_ = 4\nexists = 5\nu = 6\nprint(7)"
    completion = json.dumps({**TOOL, "program": program})
    parsed, made = parse_json_form(completion, "tool", "stop")
    assert isinstance(parsed, Parsed)
    assert program in parsed.solution
    assert made == []


@pytest.mark.parametrize("field", COT)
@pytest.mark.parametrize("written", ["\\ud83d", "\\udE00x", "\\u0000", "\\b", "\\u001b[31m", "\\uffff"])
def test_what_no_file_holds_is_no_problem(field: str, written: str) -> None:
    """The completion is plain ASCII, and its row can be written."""
    text = json.dumps({**COT, "solution": "3+4=7"}).replace(f'"{field}": "', f'"{field}": "{written} ')
    parsed, made = parse_json_form(text, "cot", "stop")
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, made) == ("characters", [])
    request = {
        "request_id": "r",
        "text_id": "t",
        "prompt": "grade",
        "mode": "cot",
        "sampling": '{"response_format": 1}',
    }
    row, rejection, _ = read_completion(request, {"completion": text, "finish_reason": "stop", "served_model": "m"})
    assert rejection
    assert json.dumps([row, rejection.detail], ensure_ascii=False).encode()


def test_a_whole_pair_of_halves_is_a_character() -> None:
    parsed, _ = parse_json_form(json.dumps({**COT, "problem": "What is 😀+4?"}), "cot", "stop")
    assert parsed == Parsed("What is 😀+4?", COT["solution"], "7")


@pytest.mark.parametrize(
    "completion",
    ['{"problem": "3+4?", "solution": "7", "answer": NaN}', '{"problem": "3+4?", "solution": "7", "answer": -Infinity}',
     '{"Problem": "2+4?", "problem": "3+4?", "solution": "7", "answer": "7"}', '{"problem": "3+4?", "solution": "7", "answer": "7", " Answer": "8"}'],
)  # fmt: skip
def test_what_json_does_not_have_is_rejected(completion: str) -> None:
    parsed, _ = parse_json_form(completion, "cot", "stop")
    assert isinstance(parsed, Rejection)
    assert parsed.reason == "json"


@pytest.mark.parametrize(
    ("fields", "repairs"),
    [
        ({"solution": "3+4=<think>Is it 6?</think>7"}, ["thoughts"]), ({"problem": "<think>Hm.</think>What is 3+4?"}, ["thoughts"]),
        ({"answer": "<think>Hm.</think>7"}, ["thoughts"]), ({"solution": "3+4=7\r\nThe answer is \\boxed{7}."}, ["line_ends"]),
        ({"problem": "What is 3+4?\n\n---\n"}, ["rule_line"]), ({"solution": "3+4=7\u2028The answer is \\boxed{7}."}, ["line_ends"]),
    ],
)  # fmt: skip
def test_fields_are_tidied_as_texts_are(fields: dict[str, str], repairs: list[str]) -> None:
    plain = {**COT, "solution": "3+4=7"}
    assert parse_json_form(json.dumps({**plain, **fields}), "cot", "stop") == (WHOLE, repairs)


@pytest.mark.parametrize(
    "piece",
    ["\\boxed{7 ", "\\boxed{", "{", "\\", "\\n", "\r", "\n", ",", "[", "$", "\\\\boxed{7} ", "\\ne ", '"', '"answer": ', '" ', "\n ", "answer:\n", "' "],
)  # fmt: skip
def test_a_long_run_takes_no_long_time(piece: str) -> None:
    started = time.process_time()
    run = piece * (40_000 // len(piece))
    for comma in (",", ""):
        parse_json_form(f'{{"problem": "3+4?", "solution": "{run}"{comma} "answer": "7"}}', "cot", "stop")
    assert time.process_time() - started < 2


def test_json_s_own_escapes_stay() -> None:
    fields = {**TOOL, "program": 'def f():\n\ttext = "a\\tb"\n\treturn 7\nneq = 1\nname = "é/\\\\"\nprint(f())'}
    for completion in (json.dumps(fields), json.dumps(fields, ensure_ascii=False)):
        parsed, made = parse_json_form(completion, "tool", "stop")
        assert isinstance(parsed, Parsed)
        assert parsed.solution == f"```python\n{fields['program']}\n```\n```output\n7\n```\nThe answer is \\boxed{{7}}."
        assert made == []


@pytest.mark.parametrize(
    ("completion", "finish_reason", "reason"),
    [
        (json.dumps(COT)[:40], "length", "truncated"), (json.dumps(COT)[:40], "stop", "json"), ("no object", "stop", "json"), ("", "stop", "json"),
        ("[1]", "stop", "json"), ("{}", "stop", "json"), (json.dumps({**COT, "problem": " "}), "stop", "empty"),
        (json.dumps({**COT, "solution": {"a": 1}}), "stop", "json"), (json.dumps({**COT, "solution": None}), "stop", "json"),
        (json.dumps({**COT, "answer": "8"}), "stop", "answer"), (json.dumps(COT) + json.dumps(COT), "stop", "json"),
        ('{"problem": "a", "problem": "b", "solution": "c", "answer": "7"}', "stop", "json"), ("<think>{", "stop", "thought"),
        (json.dumps({**COT, "problem": "the problem"}), "stop", "placeholder"),
        (json.dumps({**COT, "answer": "\\boxed{answer}"}), "stop", "placeholder"), (json.dumps({**COT, "answer": "The final answer alone."}), "stop", "placeholder"),
        (json.dumps({**COT, "solution": "The solution to the problem"}), "stop", "placeholder"),
        ('{"a":' * 100_000, "stop", "json"), ("no", "rejected", "rejected"), ("no", "content_filter", "content_filter"),
    ],
)  # fmt: skip
def test_what_is_no_problem_is_rejected_with_a_reason(completion: str, finish_reason: str, reason: str) -> None:
    parsed, made = parse_json_form(completion, "cot", finish_reason)
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, made) == (reason, [])


def test_a_program_needs_no_fence_of_its_own() -> None:
    bare, fenced = (parse_json_form(json.dumps({**TOOL, "program": program}), "tool", "stop")
                    for program in ("print(3 + 4)", "```python\nprint(3 + 4)\n```"))  # fmt: skip
    assert bare == fenced
    assert isinstance(bare[0], Parsed)


@pytest.mark.parametrize("mode", ["cot", "tool"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_prompt_asks_for_the_fields_of_the_schema(level: str, mode: str) -> None:
    tags = fill_prompt(level, mode, "3 apples")
    for form in ("json", "bounded_json"):
        prompt = fill_prompt(level, mode, "3 apples", form)
        assert all(f'"{name}"' in prompt for name in schema_of(mode, level, form == "bounded_json")["properties"])
        assert "JSON" in prompt
        assert "[Problem]" not in prompt
        assert ("\\boxed" in prompt) == (form == "json")
    assert "[Problem]" in tags
    assert "JSON" not in tags


@pytest.mark.parametrize(("sampling", "reason"), [({"response_format": {"type": "json_object"}}, None), ({}, "tags")])
def test_a_request_says_how_its_completion_is_read(sampling: dict, reason: str | None) -> None:
    request = {"request_id": "r", "text_id": "t", "prompt": "grade", "mode": "cot", "sampling": json.dumps(sampling)}
    completion = {"completion": json.dumps(COT), "finish_reason": "stop", "served_model": "m"}
    row, rejection, _ = read_completion(request, completion)
    assert (rejection.reason if rejection else None) == reason
    assert row["problem"] == ("" if reason else COT["problem"])


@pytest.mark.parametrize(
    "message",
    [{"content": "", "reasoning_content": "Hm."}, {"content": None, "reasoning": "Hm."},
     {"content": [{"type": "thinking", "thinking": "Hm."}]}, {"content": [{"type": "reasoning", "text": "Hm."}]}],
)  # fmt: skip
def test_a_reply_that_is_all_thought_has_its_thought_kept(message: dict) -> None:
    assert thought_of({"message": message}) == "Hm."
    assert thought_of({"message": {"content": "7"}}) == ""
