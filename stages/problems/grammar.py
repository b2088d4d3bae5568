"""The strict grammar of what a teacher or a synthesizer writes; a completion gives a whole problem or a reason.

[Problem]\\nTom has 3 apples and buys 4 more. ...\\n[Solution]\\n3 + 4 = 7\\nThe answer is \\boxed{7}.\\n[End]
-> Parsed(problem="Tom has ...", solution="3 + 4 = 7 ...", answer="7")
"""

import re
from dataclasses import dataclass

from stages.problems.boxed_answers import boxes_in

PROBLEM, SOLUTION, END = "[Problem]", "[Solution]", "[End]"
REFUSAL = "[Refused]"
PROGRAM = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
OUTPUT = re.compile(r"```output\n(.*?)\n?```", re.DOTALL)

# Control characters but tab and the ends of lines, halves of characters, and what is no character: no text holds them.
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


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
    """Parse one completion. Reasons: truncated, content_filter, rejected, refused, tags, empty, characters, answer, program."""
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
    if found := NO_TEXT.search(problem) or NO_TEXT.search(solution):
        return Rejection("characters", f"U+{ord(found[0]):04X} stands in the problem or the solution")
    boxes = boxes_in(solution)
    if len(boxes) != 1 or not boxes[0].content.strip():
        return Rejection("answer", f"{len(boxes)} boxed answers, not one")
    if mode == "tool" and (len(PROGRAM.findall(solution)) != 1 or len(OUTPUT.findall(solution)) != 1):
        return Rejection("program", "not exactly one program with its output")
    return Parsed(problem, solution, boxes[0].content.strip())
