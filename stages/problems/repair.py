r"""Repairs of the common ways in which a teacher leaves the grammar, before the strict parser reads the completion.

    repair("Sure!\n**Problem:** What is 3+4?\n...", "stop")
    -> ("[Problem]\nWhat is 3+4?\n...", ["emphasis", "colon", "brackets", "talk_before"])

Each repair only restores what is certain, and has a name of its own in the counts; the strict parser then takes a whole problem or
none. A completion that was cut off is never given an end. What the strict grammar takes is changed in nothing but thoughts
(stages/problems/thoughts.py), line ends, marks around a tag and a heading that repeats a tag right before it.
"""

import re
from collections.abc import Callable

from stages.problems.fences import program_fences, without_outer_fence
from stages.problems.grammar import END, PROBLEM, SOLUTION, Parsed, Rejection, parse_completion
from stages.problems.tag_lines import TagLine, bared_tags, restored_tags, tag_line, tag_of
from stages.problems.thoughts import without_thoughts

Step = Callable[[str], tuple[str, set[str]]]
# The order in which repairs are told.
ORDER = (
    "thoughts", "line_ends", "heading_before", "fence", "full_width", "invisible", "html", "escaped", "quote", "numbered", "heading",
    "emphasis", "code", "colon", "brackets", "case", "closing_tags", "talk_before", "talk_after", "end", "program_fence",
    "output_fence", "box", "boxes",
)  # fmt: skip
AS_IT_IS = ("length", "content_filter", "rejected")  # finish reasons of texts that are no whole answer
BOX = re.compile(r"\\boxed\s*\{")
OTHER_BOX = re.compile(r"(?:(?<![\\\w])/?|\\f)box(?:ed)?(?=\{)")
ANY_CASE_TAG = re.compile(r"\[(problem|solution|end)\]", re.IGNORECASE)


def parse_repaired(completion: str, mode: str, finish_reason: str) -> tuple[Parsed | Rejection, list[str]]:
    """Parse; where the strict grammar does not take the text, repair it and parse again. Returns the repairs that helped.

    Reasons of rejection: those of `parse_completion`; thought, where a completion is nothing but a thought.
    """
    strict = parse_completion(completion, mode, finish_reason)
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
            return (tidied, []) if isinstance(strict, Rejection) else (strict, [])
        tidied = again
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
    cut = re.sub(r"\n\s*\[?(?:end|end\])\s*\Z", "", text, flags=re.IGNORECASE)
    boxes = _spans(cut)
    after = cut[boxes[-1][1] :] if boxes else "no box"
    is_last = bool(boxes) and ("\n" not in after.strip() or not re.search(r"\w", after))
    return (f"{cut}\n{END}", {"end"}) if is_last else (text, set())


def _boxes(text: str) -> tuple[str, set[str]]:
    """One box: of several with the same answer the last; `boxed{7}` and `\\fbox{7}` where there is no other."""
    head, tag, solution = text.partition(SOLUTION)
    made: set[str] = set()
    if not BOX.search(solution) and len(OTHER_BOX.findall(solution)) == 1:
        solution, made = OTHER_BOX.sub(r"\\boxed", solution), {"box"}
    spans = _spans(solution)
    answers = {"".join(solution[inside : end - 1].split()) for _, end, inside in spans}
    if len(spans) > 1 and len(answers) == 1:
        made |= {"boxes"}
        for start, end, inside in reversed(spans[:-1]):
            solution = solution[:start] + solution[inside : end - 1] + solution[end:]
    return head + tag + solution, made


def _spans(text: str) -> list[tuple[int, int, int]]:
    """(start, end, start of the content) of each balanced box."""
    spans = []
    for match in BOX.finditer(text):
        depth = 1
        for brace in re.compile(r"[{}]").finditer(text, match.end()):
            depth += 1 if brace[0] == "{" else -1
            if not depth:
                spans.append((match.start(), brace.end(), match.end()))
                break
    return spans


TIDYING: list[Step] = [
    _named("thoughts", without_thoughts),
    _named("line_ends", lambda text: re.sub(r"\r+\n|\r", "\n", text)),
    bared_tags,
    _named("heading_before", _heading_before),
]
RESTORING: list[Step] = [
    _named("fence", without_outer_fence),
    restored_tags,
    _cases,
    _named("fence", without_outer_fence),
    _named("talk_before", _talk_before),
    _named("talk_after", _talk_after),
]
