r"""Repairs of the common ways in which a teacher leaves the grammar, before the strict parser reads the completion.

    repair("Sure!\n**Problem:** What is 3+4?\n...", "stop")
    -> ("[Problem]\nWhat is 3+4?\n...", ["emphasis", "colon", "brackets", "talk_before"])

Each repair only restores what is certain, and has a name of its own in the counts; the strict parser then takes a whole problem or
none. A completion that was cut off is never given an end. What the strict grammar takes is changed in nothing but thoughts
(stages/problems/thoughts.py), line ends, marks around a tag and a heading that repeats a tag right before it.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from stages.problems.boxed_answers import OPENING, boxes_in
from stages.problems.fences import program_fences, without_outer_fence
from stages.problems.grammar import END, PROBLEM, SOLUTION, Parsed, Rejection, parse_completion
from stages.problems.line_ends import with_line_feeds
from stages.problems.tag_lines import TagLine, bared_tags, restored_tags, tag_line, tag_of
from stages.problems.thoughts import has_mark, without_inner_thoughts, without_thoughts

Step = Callable[[str], tuple[str, set[str]]]
# The order in which repairs are told.
ORDER = (
    "thoughts", "line_ends", "rule_line", "heading_before", "fence", "full_width", "invisible", "html", "escaped", "quote", "numbered", "heading",
    "emphasis", "code", "colon", "brackets", "case", "closing_tags", "talk_before", "talk_after", "end", "program_fence",
    "output_fence", "box", "boxes",
)  # fmt: skip
AS_IT_IS = ("length", "content_filter", "rejected")  # finish reasons of texts that are no whole answer
BOX = re.compile(OPENING)
OTHER_BOX = re.compile(r"(?:(?<![\\\w])/?|\\f)box(?:ed)?(?=\{)")
HALF_END = re.compile(r"\s*\[?end\]?", re.IGNORECASE)  # a last line that was meant as the tag
RULE = re.compile(r"[ \t]*(?:-(?:[ \t]*-){2,}|\*(?:[ \t]*\*){2,}|_(?:[ \t]*_){2,}|={3,}|[─━—═]{2,})[ \t]*")
ANY_CASE_TAG = re.compile(r"\[(problem|solution|end)\]", re.IGNORECASE)


def parse_repaired(completion: str, mode: str, finish_reason: str) -> tuple[Parsed | Rejection, list[str]]:
    """Parse; where the strict grammar does not take the text, repair it and parse again. Returns the repairs that helped.

    Reasons of rejection: those of `parse_completion`; thought, where a completion is nothing but a thought.
    """
    strict = parse_completion(completion, mode, finish_reason)
    head, end, rest = completion.partition(END)
    if finish_reason == "length" and end and head.lstrip().startswith(PROBLEM) and PROBLEM not in rest:
        parsed, repairs = parse_repaired(head + end, mode, "stop")
        if isinstance(parsed, Parsed):  # what follows a whole problem may be cut off
            return parsed, [*repairs, "talk_after"] if rest.strip() else repairs
    if finish_reason in AS_IT_IS:
        return strict, []
    text, repairs = _taken(completion.strip(), TIDYING)
    if not text and completion.strip():
        return Rejection("thought", f"nothing but a thought: {completion.strip()[:60]!r}"), []
    tidied = parse_completion(text, mode, finish_reason)
    if isinstance(tidied, Rejection) and tidied.reason != "refused":
        text, repairs = repair(completion, finish_reason, mode)
        again = parse_completion(text, mode, finish_reason)
        if isinstance(again, Rejection):  # a mark of thoughts that a problem speaks of is none
            again, repairs = (tidied if isinstance(strict, Rejection) else strict), []
        tidied = again
    if isinstance(tidied, Parsed) and has_mark(tidied.solution) and not has_mark(tidied.problem):
        return Rejection("thought", "a mark of thoughts without its counterpart stands in the solution"), []
    return tidied, repairs


def repair(completion: str, finish_reason: str, mode: str = "cot") -> tuple[str, list[str]]:
    """The completion with what can be restored restored, and the names of the repairs that were made."""
    steps = [*TIDYING, *RESTORING]
    if finish_reason == "stop":
        steps.append(_end)
    if mode == "tool":
        steps.append(program_fences)
    return _taken(completion.strip(), [*steps, _boxes])


def _taken(text: str, steps: list[Step]) -> tuple[str, list[str]]:
    """The text after some steps, and the names of the repairs in their order."""
    names: set[str] = set()
    for step in steps:
        text, made = step(text)
        names |= made
    return text, sorted(names, key=ORDER.index)


def _named(name: str, change: Callable[[str], str]) -> Step:
    def step(text: str) -> tuple[str, set[str]]:
        after = change(text)
        return after, {name} if after != text else set()

    return step


def _spoken_solution(text: str) -> str:
    """Without thoughts in the middle of the solution's lines, where the problem does not speak of such marks."""
    problem, tag, solution = text.partition(SOLUTION)
    return f"{problem}{tag}{without_inner_thoughts(solution)}" if tag and not has_mark(problem) else text


def _without_rules(text: str) -> str:
    """Without the horizontal rules of Markdown beside a tag, as in `---` between problem and solution."""
    lines = text.split("\n")
    for number in [n for n, line in enumerate(lines) if line.strip() in (PROBLEM, SOLUTION, END)]:
        for step in (-1, 1):
            beside = number + step
            while 0 <= beside < len(lines) and (not lines[beside].strip() or RULE.fullmatch(lines[beside])):
                lines[beside] = ""
                beside += step
    return "\n".join(lines) if any(RULE.fullmatch(line) for line in text.split("\n")) else text


def _heading_before(text: str) -> str:
    """Without a heading such as `## Solution` right before the tag `[Solution]`."""
    lines = text.split("\n")
    for number in [n for n, line in enumerate(lines) if line.strip() in (PROBLEM, SOLUTION, END)]:
        before = next((n for n in range(number - 1, -1, -1) if lines[n].strip()), None)
        heading = tag_line(before, lines[before]) if before is not None else None
        if heading and _repeats(heading, lines[number].strip()):
            lines[heading.number] = ""
    return "\n".join(lines).strip()


def _repeats(heading: TagLine, tag: str) -> bool:
    return heading.is_marked and not heading.is_bracketed and not heading.rest and tag_of(heading.name) == tag


def _cases(text: str) -> tuple[str, set[str]]:
    """`[problem]` in the middle of a line, where the tag has no other place."""
    missing = {tag for tag in (PROBLEM, SOLUTION, END) if tag not in text}

    def tag(found: re.Match[str]) -> str:
        return tag_of(found[1]) if tag_of(found[1]) in missing else found[0]

    after = ANY_CASE_TAG.sub(tag, text)
    return after, {"case"} if after != text else set()


def _talk_before(text: str) -> str:
    return text[text.index(PROBLEM) :] if text.count(PROBLEM) == 1 else text


def _talk_after(text: str) -> str:
    return text[: text.index(END) + len(END)] if text.count(END) == 1 else text


def _end(text: str) -> tuple[str, set[str]]:
    """A missing end, where the teacher stopped by itself after its boxed answer."""
    if END in text or text.count(SOLUTION) != 1:
        return text, set()
    body, line_end, last = text.rstrip().rpartition("\n")
    cut = body.rstrip() if line_end and HALF_END.fullmatch(last) else text
    boxes = boxes_in(cut)
    after = cut[boxes[-1].end :] if boxes else "no box"
    is_last = bool(boxes) and ("\n" not in after.strip() or not re.search(r"\w", after))
    return (f"{cut}\n{END}", {"end"}) if is_last else (text, set())


def _boxes(text: str) -> tuple[str, set[str]]:
    """One box: of several with the same answer the last; `boxed{7}` and `\\fbox{7}` where there is no other."""
    head, tag, solution = text.partition(SOLUTION)
    made: set[str] = set()
    if not BOX.search(solution) and len(OTHER_BOX.findall(solution)) == 1:
        solution, made = OTHER_BOX.sub(r"\\boxed", solution), {"box"}
    boxes = boxes_in(solution)
    are_apart = all(one.end <= other.start for one, other in pairwise(boxes))
    if len(boxes) > 1 and are_apart and len({"".join(box.content.split()) for box in boxes}) == 1:
        made |= {"boxes"}
        parts, position = [], 0
        for box in boxes[:-1]:
            parts += [solution[position : box.start], box.content]
            position = box.end
        solution = "".join([*parts, solution[position:]])
    return head + tag + solution, made


TIDYING: list[Step] = [
    _named("thoughts", without_thoughts),
    _named("line_ends", with_line_feeds),
    bared_tags,
    _named("thoughts", _spoken_solution),
    _named("rule_line", _without_rules),
    _named("heading_before", _heading_before),
]
RESTORING: list[Step] = [
    _named("fence", without_outer_fence),
    restored_tags,
    _cases,
    _named("thoughts", _spoken_solution),
    _named("rule_line", _without_rules),
    _named("fence", without_outer_fence),
    _named("talk_before", _talk_before),
    _named("talk_after", _talk_after),
]
