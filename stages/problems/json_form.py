r"""Problems as JSON: the problem of what a teacher wrote by one of the schemas of `json_schema.py`.

    {"problem": "What is 3+4?", "solution": "3+4=7", "answer": "7"}
    -> Parsed("What is 3+4?", "3+4=7\nThe answer is \\boxed{7}.", "7")

A tool problem has `program` and `output` in place of `solution`. Where JSON reads LaTeX as its own escapes (`\frac` as a form feed,
`\times` as a tab), the backslash is given back where nothing else can be meant. Each repair is counted under its own name.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from stages.problems.boxed_answers import boxes_in
from stages.problems.fences import without_outer_fence
from stages.problems.grammar import Parsed, Rejection, parse_completion
from stages.problems.json_escapes import doubled_escapes
from stages.problems.json_members import members_of
from stages.problems.json_restoring import restored
from stages.problems.json_schema import FIELDS
from stages.problems.repair import AS_IT_IS, parse_repaired
from stages.problems.thoughts import without_thoughts

# What the prompt says of a field in place of the field, as small models copy it.
COPIED = re.compile(
    r"\W*(?:the |a |your )?(?:(?:whole |full )?(?:text of )?(?:the |a )?(?:problem|question)|(?:all )?(?:its |the )?steps|solution(?: to the problem)?"
    r"|(?:whole )?program|what (?:the program|it) prints|(?:final )?answer(?: alone)?|list of the (?:solution's steps|program's lines))"
    r"(?:, (?:which ends with a question|each with its calculation|a number alone|the same number))?\W*",
    re.IGNORECASE,
)
FENCE_BEFORE = re.compile(r"\A(?:```|~~~)\w*\s*")
TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")


def parse_json_form(completion: str, mode: str, finish_reason: str) -> tuple[Parsed | Rejection, list[str]]:
    """The problem of a completion that was asked for as JSON, and the repairs that it took.

    What follows a whole object may be cut off. Reasons of rejection: those of the grammar; json, where it is none or not of the schema; placeholder, where a field repeats the
    prompt's words for it; thought.
    """
    if finish_reason == "length":
        whole = parse_json_form(completion, mode, "stop") if _is_whole(completion) else None
        return whole if whole and isinstance(whole[0], Parsed) else (parse_completion(completion, mode, "length"), [])
    if finish_reason in AS_IT_IS:
        return parse_completion(completion, mode, finish_reason), []
    text = without_thoughts(completion)
    repairs = ["thoughts"] if text != completion else []
    if not text.strip() and completion.strip():
        return Rejection("thought", f"nothing but a thought: {completion.strip()[:60]!r}"), []
    found = _read(text.strip().removeprefix("\ufeff"), FIELDS[mode])
    if isinstance(found, Rejection):
        return found, []
    fields, made = found
    parsed, mended = parse_repaired(_written(fields, mode), mode, "stop")
    if isinstance(parsed, Rejection):
        return parsed, []
    if _bare(parsed.answer) != _bare(_unboxed(fields["answer"])):
        return Rejection(
            "answer", f"the solution gives {parsed.answer[:60]!r}, the answer {fields['answer'][:60]!r}"
        ), []
    return parsed, list(dict.fromkeys([*repairs, *made, *mended]))


def _written(fields: dict[str, str], mode: str) -> str:
    """The problem in the grammar's form; a solution without a box gets one from the answer."""
    closing = f"The answer is \\boxed{{{_unboxed(fields['answer'])}}}."
    if mode == "tool":
        solution = f"```python\n{_code(fields['program'])}\n```\n```output\n{fields['output'].strip()}\n```\n{closing}"
    else:
        solution = fields["solution"].strip()
        solution = solution if "boxed" in solution else f"{solution}\n{closing}"
    return f"[Problem]\n{fields['problem'].strip()}\n[Solution]\n{solution}\n[End]"


def _code(program: str) -> str:
    """A program without a fence of its own."""
    return re.sub(r"\A\s*(?:```|~~~)\w*\n|\n(?:```|~~~)\s*\Z", "", program).strip("\n")


def _unboxed(answer: str) -> str:
    boxes = boxes_in(answer)
    bare = (boxes[0].content if len(boxes) == 1 else answer).strip()
    return bare[1:-1].strip() if len(bare) > 2 and bare[0] == bare[-1] == "$" and "$" not in bare[1:-1] else bare


def _bare(answer: str) -> str:
    return re.sub(r"[\s$]|\\[,!; ]|\.$", "", answer)


def _read(text: str, names: tuple[str, ...]) -> tuple[dict[str, str], list[str]] | Rejection:
    """The fields of the one object of a text, and the repairs."""
    repairs: list[str] = []
    if (inner := without_outer_fence(text)) != text:
        text, repairs = inner, ["fence"]
    start = text.find("{")
    if start < 0:
        return Rejection("json", f"no object: {text[:60]!r}")
    if start:
        text, repairs = text[start:], [*repairs, "talk_before"]
    fault = ""
    for written, made in _readings(text, names):
        value, end, told = _decoded(written)
        if value is None:
            fault = fault or told
            continue
        if (rest := written[end:].strip().strip("`").strip()) and "{" in rest:
            return Rejection("json", f"more than one object: {rest[:60]!r}")
        return _fields(value, names, [*repairs, *made, *(["talk_after"] if rest else [])])
    return Rejection("json", fault)


def _readings(text: str, names: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """The JSON that a text may have been meant as, and the repairs, the fewest first."""
    escaped = doubled_escapes(text)
    escapes = ["json_escapes"] if escaped != text else []
    yield escaped, escapes
    if (mended := TRAILING_COMMA.sub("", escaped)) != escaped:
        yield mended, ["json_comma", *escapes]
    anew, made = restored(text, names)
    if anew:
        escaped = doubled_escapes(anew)
        yield escaped, [*made, *(["json_escapes"] if escaped != anew else [])]


def _decoded(text: str) -> tuple[Any, int, str]:
    """(value, where it ends, "") of the JSON that a text begins with; or (None, 0, what is wrong)."""
    try:
        value, end = json.JSONDecoder(
            strict=False, parse_int=str, parse_float=str, object_pairs_hook=_members, parse_constant=_no_number
        ).raw_decode(text)
    except (ValueError, RecursionError) as error:
        return None, 0, f"{error}: {text[:60]!r}"
    return value, end, ""


def _no_number(constant: str) -> str:
    raise ValueError(f"{constant} is not a JSON value")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name.strip().lower() for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a key occurs twice in {names}")
    return dict(pairs)


def _fields(value: Any, names: tuple[str, ...], repairs: list[str]) -> tuple[dict[str, str], list[str]] | Rejection:
    """The texts of an object."""
    members, made = members_of(value, names)
    if missing := [name for name in names if name not in members]:
        return Rejection("json", f"no {', '.join(missing)} among {sorted(members)}")
    written = {name: members[name] for name in names}
    if wrong := [name for name, text in written.items() if not isinstance(text, str)]:
        return Rejection("json", f"{wrong[0]} is no text: {str(written[wrong[0]])[:60]}")
    texts = {name: without_thoughts(text) for name, text in written.items()}
    if not all(text.strip() for text in texts.values()):
        return Rejection("empty", f"{next(name for name, text in texts.items() if not text.strip())} is empty")
    if copied := [name for name, text in texts.items() if COPIED.fullmatch(_unboxed(text))]:
        return Rejection("placeholder", f"{copied[0]} is {texts[copied[0]][:60]!r}, as the prompt has it")
    return texts, [*repairs, *(["thoughts"] if texts != written else []), *made]


def _is_whole(completion: str) -> bool:
    """Whether a completion holds a whole object, so that only what follows it can be cut off."""
    text = FENCE_BEFORE.sub("", without_thoughts(completion).strip(), count=1)
    return text.startswith("{") and _decoded(doubled_escapes(text))[0] is not None
