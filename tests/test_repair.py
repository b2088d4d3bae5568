"""Repairs before the strict parser: what is certain is restored, nothing else."""

import json
import random
import time

import pytest

from stages.builtin.all_families import FAMILIES
from stages.builtin.family import write_problem
from stages.builtin.fillers import words_in
from stages.problems.grammar import Parsed, Rejection, parse_completion
from stages.problems.repair import parse_repaired, repair

GOOD = "[Problem]\nWhat is 3+4?\n[Solution]\n3+4=7\nThe answer is \\boxed{7}.\n[End]"
TOOL = "[Problem]\nWhat is 3+4?\n[Solution]\n```python\nprint(3 + 4)\n```\n```output\n7\n```\nThe answer is \\boxed{7}.\n[End]"


@pytest.mark.parametrize(
    ("completion", "mode", "repairs"),
    [
        (GOOD, "cot", []),
        (GOOD.replace("\n[End]", ""), "cot", ["end"]),
        (f"{GOOD}\n\nI hope this helps!", "cot", ["talk_after"]),
        (f"Sure, here it is.\n\n{GOOD}", "cot", ["talk_before"]),
        (f"```\n{GOOD}\n```", "cot", ["fence"]),
        (
            GOOD.replace("[Problem]", "**Problem:**").replace("[Solution]", "**[Solution]**"),
            "cot",
            ["emphasis", "colon", "brackets"],
        ),
        (
            GOOD.replace("[Problem]\n", "## Problem: ")
            .replace("[Solution]", "### Solution")
            .replace("[End]", "**End**"),
            "cot",
            ["heading", "emphasis", "colon", "brackets"],
        ),
        (GOOD.replace("[Problem]", "[PROBLEM]:").replace("[End]", "[end]"), "cot", ["colon", "case"]),
        (f"```text\n{TOOL}\n```", "tool", ["fence"]),
        (
            f"Of course!\n{TOOL.replace('[Problem]', '**[Problem]**')}\nBye.",
            "tool",
            ["emphasis", "talk_before", "talk_after"],
        ),
    ],
)
def test_common_deviations_are_repaired(completion: str, mode: str, repairs: list[str]) -> None:
    parsed, made = parse_repaired(completion, mode, "stop")
    whole, _ = parse_repaired(TOOL if mode == "tool" else GOOD, mode, "stop")
    assert parsed == whole
    assert made == repairs


@pytest.mark.parametrize(
    ("rest", "repairs"), [("", []), ("\n\n", []), ("\nI hope that th", ["talk_after"]), ("\n[Solu", ["talk_after"])]
)
def test_what_follows_a_whole_problem_may_be_cut_off(rest: str, repairs: list[str]) -> None:
    parsed, made = parse_repaired(GOOD + rest, "cot", "length")
    assert parsed == parse_repaired(GOOD, "cot", "stop")[0]
    assert made == repairs


@pytest.mark.parametrize(
    "completion", [GOOD[:-2], f"{GOOD}\n[Problem]\nWhat is", f"A draft: {GOOD} Is it", f"<think>{GOOD}", GOOD.replace("[Solution]", "")]
)  # fmt: skip
def test_what_is_cut_off_within_a_problem_is_truncated(completion: str) -> None:
    parsed, made = parse_repaired(completion, "cot", "length")
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, made) == ("truncated", [])


@pytest.mark.parametrize(
    ("completion", "finish_reason"),
    [
        (GOOD + GOOD, "stop"),
        (GOOD.replace("\n[End]", ""), "length"),
        (GOOD.replace("The answer is \\boxed{7}.\n[End]", "and now we"), "stop"),
        (GOOD.replace("[Solution]", "[Solution]\n[Solution]"), "stop"),
        (GOOD.replace("[Problem]", ""), "stop"),
        ("The problem is hard.\nThe solution: none.", "stop"),
        (GOOD.replace("What is 3+4?", "Solution: what?").replace("\n[End]", ""), "stop"),
    ],
)
def test_what_is_not_certain_is_not_repaired(completion: str, finish_reason: str) -> None:
    parsed, made = parse_repaired(completion, "cot", finish_reason)
    assert isinstance(parsed, Rejection)
    assert made == []


def swapped(text: str, *pairs: str) -> str:
    """The text with each old piece, which must be there, in a new form."""
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    return text


def tagged(problem: str, solution: str, end: str) -> str:
    return swapped(GOOD, "[Problem]", problem, "[Solution]", solution, "[End]", end)


@pytest.mark.parametrize(
    ("completion", "repairs"),
    [
        (GOOD.replace("\n", "\r\n"), ["line_ends"]),
        (GOOD.replace("\n", "\r"), ["line_ends"]),
        (GOOD.replace("\n", "\u2028"), ["line_ends"]),
        (GOOD.replace("\n", "\x85"), ["line_ends"]),
        (GOOD.replace("\n", "\v"), ["line_ends"]),
        (GOOD.replace("\n", "\f"), ["line_ends"]),
        (GOOD.replace("\n", "\\n"), ["line_ends"]),
        (GOOD.replace("\n", "\\r\\n"), ["line_ends"]),
        (json.dumps(GOOD)[1:-1], ["line_ends"]),
        (json.dumps(GOOD), ["line_ends"]),
        (f"\n{GOOD}\n".replace("]\n", "]\\n").replace("\n[", "\\n["), ["line_ends"]),
        (GOOD.replace("[Solution]", "---\n[Solution]"), ["rule_line"]),
        (GOOD.replace("[Solution]", "\n* * *\n\n[Solution]\n___"), ["rule_line"]),
        (GOOD.replace("[End]", "=====\n[End]"), ["rule_line"]),
        (tagged("**Problem**", "---\n**Solution**", "---\n**End**"), ["rule_line", "emphasis", "brackets"]),
        (GOOD.replace("3+4=7", "3+4=<think>hmm</think>7"), ["thoughts"]),
        (GOOD.replace("3+4=7", "3+4=<thinking>Is it \\boxed{6}?</thinking>7"), ["thoughts"]),
        (GOOD.replace("7\n", "7◁think▷No.◁/think▷\n"), ["thoughts"]),
        (tagged("**[Problem]**", "**[Solution]**", "**[End]**"), ["emphasis"]),
        (tagged("[**Problem**]", "__[Solution]__", "*[End]*"), ["emphasis"]),
        (tagged("*Problem*", "_Solution_", "***End***"), ["emphasis", "brackets"]),
        (tagged("# Problem", "## Solution", "### End ###"), ["heading", "brackets"]),
        (tagged("problem:", "Solution：", "END"), ["full_width", "colon", "brackets", "case"]),
        (tagged("［Problem］", "【Solution】", "［Ｅｎｄ］"), ["full_width"]),
        (tagged("&#91;Problem&#93;", "&lbrack;Solution&rbrack;", "&#x5B;End&#x5D;"), ["html"]),
        (tagged("<b>[Problem]</b>", "<h2>[Solution]</h2>", "<p>[End]</p>"), ["html"]),
        (tagged("1. [Problem]", "2. [Solution]", "3. [End]"), ["numbered"]),
        (tagged("(1) [Problem]", "- [Solution]", "[End]"), ["numbered"]),
        (tagged("[Problem 1]", "[Solution 1]", "[End]"), ["numbered"]),
        (tagged("## Problem 1", "## Solution 1", "[End]"), ["numbered", "heading", "brackets"]),
        (tagged("1) **Problem:**", "2) **Solution:**", "3) **End**"), ["numbered", "emphasis", "colon", "brackets"]),
        (tagged("\\[Problem\\]", "\\[Solution\\]", "\\[End\\]"), ["escaped"]),
        (tagged("\ufeff[Problem]", "[Solution]", "[End]"), ["invisible"]),
        (tagged("> [Problem]", "> [Solution]", "> [End]"), ["quote"]),
        (tagged("`[Problem]`", "`[Solution]`", "`[End]`"), ["code"]),
        (tagged("[problem]", "[SOLUTION]", "[end]."), ["case"]),
        (tagged("## Grade 3\n\n[Problem]", "[Solution]", "[End]"), ["talk_before"]),
        (tagged("### Problem\n[Problem]", "**Solution:**\n\n[Solution]", "[End]"), ["heading_before"]),
        (tagged("[Problem]", "[/Problem]\n[Solution]", "[/Solution]\n[End]"), ["closing_tags"]),
        (tagged("[Problem]", "[Solution]", "[/End]"), ["closing_tags"]),
        (tagged("<problem>", "</problem>\n<solution>", "</solution>"), ["brackets", "case", "closing_tags", "end"]),
        (tagged("[Problem]", "[Solution]", "[End"), ["end"]),
        (f"~~~\n{GOOD}\n~~~", ["fence"]),
        (f"````markdown\n{GOOD}\n````", ["fence"]),
        (f"```\n{swapped(GOOD, chr(10) + '[End]', '')}\n```", ["fence", "end"]),
        (swapped(GOOD, "3+4=7", "3+4=\\boxed{7}"), ["boxes"]),
        (swapped(GOOD, "\\boxed", "boxed"), ["box"]),
        (swapped(GOOD, "\\boxed", "\\fbox"), ["box"]),
        (f"{GOOD}<|im_end|>", ["talk_after"]),
    ],
)
def test_each_repair_is_counted_under_its_own_name(completion: str, repairs: list[str]) -> None:
    assert parse_repaired(completion, "cot", "stop") == (parse_completion(GOOD, "cot", "stop"), repairs)


@pytest.mark.parametrize(
    ("completion", "repairs"),
    [
        (TOOL.replace("\n", "\r\n"), ["line_ends"]),
        (swapped(TOOL, "```python", "```py"), ["program_fence"]),
        (swapped(TOOL, "```python", "```Python3"), ["program_fence"]),
        (swapped(TOOL, "```python", "``` python"), ["program_fence"]),
        (swapped(TOOL, "```python", "```{.python}"), ["program_fence"]),
        (swapped(TOOL, "```python", "~~~python", "4)\n```", "4)\n~~~"), ["program_fence"]),
        (swapped(TOOL, "```output", "```Output"), ["output_fence"]),
        (swapped(TOOL, "```output", "```"), ["output_fence"]),
        (swapped(TOOL, "```output", "\n```text"), ["output_fence"]),
        (swapped(TOOL, "```python", "```py", "```output", "```stdout"), ["program_fence", "output_fence"]),
        (swapped(TOOL, "[Problem]", "**Problem**"), ["emphasis", "brackets"]),
        (f"```\n{TOOL}\n```", ["fence"]),
    ],
)
def test_fences_of_programs_have_other_names(completion: str, repairs: list[str]) -> None:
    parsed, made = parse_repaired(completion, "tool", "stop")
    assert isinstance(parsed, Parsed)
    whole = parse_completion(TOOL, "tool", "stop")
    assert isinstance(whole, Parsed)
    assert (parsed.solution.replace("\n\n", "\n"), made) == (whole.solution, repairs)


@pytest.mark.parametrize(
    ("problem", "written"),
    [
        (r"Is $a \neq b$ and $\nu \ne 3$?", r"Is $a \neq b$ and $\nu \ne 3$?"),
        (r"Is $\nabla f$ 0, or\nnot?", "Is $\\nabla f$ 0, or\nnot?"),
    ],
)
def test_a_command_is_no_line_end_written_out(problem: str, written: str) -> None:
    text = GOOD.replace("What is 3+4?", problem).replace("\n", "\\n")
    parsed, made = parse_repaired(text, "cot", "stop")
    assert isinstance(parsed, Parsed)
    assert (parsed.problem, made) == (written, ["line_ends"])


@pytest.mark.parametrize("kept", ["---", "a\n---\nb", "print('a\\nb')", "1 - - - 2", "What is `<think>`?"])
def test_what_is_not_beside_a_tag_stays(kept: str) -> None:
    text = GOOD.replace("3+4=7", f"3+4=7, for\n{kept}\nas said.")
    assert parse_repaired(text, "cot", "stop") == (parse_completion(text, "cot", "stop"), [])


@pytest.mark.parametrize("solution", ["3+4=<think>7", "3+4=</think>7", "3+4=7 </thinking>."])
def test_half_a_thought_in_a_solution_is_rejected(solution: str) -> None:
    parsed, _ = parse_repaired(GOOD.replace("3+4=7", solution), "cot", "stop")
    assert isinstance(parsed, Rejection)
    assert parsed.reason in ("thought", "tags")


@pytest.mark.parametrize("odd", ["\x00", "\x1b", "\ud83d", "\ufffe", "\x9b"])
@pytest.mark.parametrize("place", ["What is", "3+4=7"])
def test_what_no_text_holds_is_rejected(odd: str, place: str) -> None:
    parsed, _ = parse_repaired(GOOD.replace(place, f"{place}{odd}"), "cot", "stop")
    assert isinstance(parsed, Rejection)
    assert parsed.reason == "characters"


@pytest.mark.parametrize(
    "piece",
    ["\\boxed{7 ", "\\boxed{", "\\boxed{7} ", "\\boxed {", "{", "}", "{}", "\r", "\n", " ", "\n\n[end", "-", "- ", "* ", "`", "```\n", "```py\n", "~", "[", "#",
     "[Problem", "**", "&#91;", "<b>", ">", "\\n", "\u2028", "<think>", "</think>", "<think>a</think>", "\\", "a", "1", "_", "boxed{", "\\fbox{7}", "1. "],
)  # fmt: skip
def test_a_long_run_takes_no_long_time(piece: str) -> None:
    """As a model writes it that repeats itself up to max_tokens."""
    run = piece * (60_000 // len(piece))
    texts = run, f"[Problem]{run}", GOOD.replace("3+4=7", f"3+4=7{run}"), GOOD.replace("7}.\n[End]", f"7}}.{run}")
    for text in texts:
        started = time.process_time()
        parse_repaired(text, "tool", "stop")
        assert time.process_time() - started < 1.5


def test_a_comment_in_a_program_is_no_tag() -> None:
    program = swapped(TOOL, "[Solution]", "**Solution:**", "print(3 + 4)", "# Solution\nprint(3 + 4)")
    parsed, _ = parse_repaired(program, "tool", "stop")
    assert isinstance(parsed, Parsed)
    assert "# Solution\nprint" in parsed.solution


@pytest.mark.parametrize(
    "completion",
    [
        "Problem solving is fun.\nSolution of all.\nend of it \\boxed{7}",
        swapped(GOOD, "[Solution]", "*Solution* by hand"),
        swapped(GOOD, "The answer is \\boxed{7}", "\\boxed{6} or \\boxed{7}"),
        swapped(GOOD, "[Solution]", "## Solution 1\nx\n## Solution 2"),
        swapped(GOOD, "\\boxed{7}", "7"),
        swapped(GOOD, "[Problem]", "[Problem"),
    ],
)
def test_nothing_is_guessed(completion: str) -> None:
    parsed, made = parse_repaired(completion, "cot", "stop")
    assert isinstance(parsed, Rejection)
    assert made == []


@pytest.mark.parametrize(
    "completion", [swapped(TOOL, "```output\n7\n```\n", ""), swapped(TOOL, "```output", "```json")]
)
def test_no_program_and_no_output_is_made_up(completion: str) -> None:
    parsed, made = parse_repaired(completion, "tool", "stop")
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, made) == ("program", [])


@pytest.mark.parametrize("mode", ["cot", "tool"])
def test_what_the_strict_grammar_takes_is_not_touched(mode: str) -> None:
    for number, name in enumerate(sorted(FAMILIES)):
        rng = random.Random(number)
        problem = write_problem(FAMILIES[name], rng, words_in("", rng), False)
        written = f"[Problem]\n{problem.problem}\n[Solution]\n{problem.solution(mode)}\n[End]"
        assert parse_repaired(written, mode, "stop") == (parse_completion(written, mode, "stop"), [])
        assert repair(written, "stop", mode) == (written, [])


def test_a_repaired_text_needs_no_repair() -> None:
    befores = ["", "**", "## ", "> ", "1. ", "<b>", "\ufeff", "Here it is.\n"]
    forms = ["[{}]", "{}:", "［{}］", "\\[{}\\]", "&#91;{}&#93;", "[{} 1]", "{}"]
    rng = random.Random(1)
    num_parsed = 0
    for _ in range(600):
        tags = [
            rng.choice(befores) + rng.choice(forms).format(rng.choice([n, n.upper()]))
            for n in ("Problem", "Solution", "End")
        ]
        text = tagged(*tags).replace("\n", rng.choice(["\n", "\r\n", "\n\n"]))
        once, made = repair(text, "stop")
        num_parsed += isinstance(parse_completion(once, "cot", "stop"), Parsed)
        assert repair(once, "stop") == (once, []), (text, made)
    assert num_parsed > 400
