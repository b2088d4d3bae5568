"""The strict grammar of what a teacher or a synthesizer writes; a completion gives a whole problem or a reason.

[Problem]\\nTom has 3 apples and buys 4 more. ...\\n[Solution]\\n3 + 4 = 7\\nThe answer is \\boxed{7}.\\n[End]
-> Parsed(problem="Tom has ...", solution="3 + 4 = 7 ...", answer="7")
"""

import re
from dataclasses import dataclass

PROBLEM, SOLUTION, END = "[Problem]", "[Solution]", "[End]"
REFUSAL = "[Refused]"
PROGRAM = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
OUTPUT = re.compile(r"```output\n(.*?)\n?```", re.DOTALL)


@dataclass(frozen=True)
class Parsed:
    problem: str
    solution: str
    answer: str


@dataclass(frozen=True)
class Rejection:
    reason: str
    detail: str


def parse_completion(completion: str, mode: str, finish_reason: str) -> Parsed | Rejection:
    """Parse one completion. Reasons: truncated, content_filter, rejected, refused, tags, empty, answer, program."""
    if finish_reason == "length":
        return Rejection("truncated", f"stopped at the token limit after {len(completion)} characters")
    if finish_reason in ("content_filter", "rejected"):
        return Rejection(finish_reason, completion[:500])
    text = completion.strip()
    if text.startswith(REFUSAL):
        return Rejection("refused", text[len(REFUSAL) :].strip())
    if [text.count(tag) for tag in (PROBLEM, SOLUTION, END)] != [1, 1, 1] or not text.startswith(PROBLEM):
        return Rejection("tags", f"not one each of {PROBLEM}, {SOLUTION}, {END} in order: {text[:60]!r}")
    head, _, rest = text[len(PROBLEM) :].partition(SOLUTION)
    body, end, trailing = rest.partition(END)
    problem, solution = head.strip(), body.strip()
    if not end or trailing.strip():
        return Rejection("tags", f"{END} is not last: {trailing.strip()[:60]!r}")
    if not problem or not solution:
        return Rejection("empty", "the problem or the solution is empty")
    answers = boxed_answers(solution)
    if len(answers) != 1 or not answers[0].strip():
        return Rejection("answer", f"{len(answers)} boxed answers, not one")
    if mode == "tool" and (len(PROGRAM.findall(solution)) != 1 or len(OUTPUT.findall(solution)) != 1):
        return Rejection("program", "not exactly one program with its output")
    return Parsed(problem, solution, answers[0].strip())


def boxed_answers(text: str) -> list[str]:
    """What stands in each balanced \\boxed{...}, in order."""
    answers = []
    for match in re.finditer(r"\\boxed\s*\{", text):
        depth = 1
        for position in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if depth == 0:
                answers.append(text[match.end() : position])
                break
    return answers
