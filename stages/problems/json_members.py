"""The members of a JSON object as a problem's fields: which key is meant, and a list of lines as one text.

members_of({"Question": "3+4?", "steps": ["3+4=7"], "answer": "7"}, ("problem", "solution", "answer"))
-> ({"problem": "3+4?", "solution": "3+4=7", "answer": "7"}, ["json_keys"])
"""

import re
from typing import Any

from stages.problems.boxed_answers import boxes_in

ALIASES = {
    "question": "problem",
    "steps": "solution",
    "final_answer": "answer",
    "final answer": "answer",
    "code": "program",
}
STEP = re.compile(r"(?:step|line)?[ _]?\d{1,2}", re.IGNORECASE)
LISTS = ("steps", "program")  # what the bounded schema asks for as a list


def field_of(key: str) -> str:
    """The field that a key names, whatever its case: `Question` is the problem."""
    name = key.strip().lower()
    return ALIASES.get(name, name)


def members_of(value: Any, names: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    """The members by field, those that are asked for and others, and the repairs: json_keys, json_answer, json_lines."""
    found = _object_of(value, names)
    keys = {field_of(key): key for key in sorted(found, key=lambda key: field_of(key) == key.strip().lower())}
    members = {name: _joined(found[key]) for name, key in keys.items()}
    repairs = (
        ["json_keys"] if found is not value or {keys[name] for name in names if name in keys} - {*names, *LISTS} else []
    )
    if "answer" not in members and len(boxes := boxes_in(str(members.get("solution", "")))) == 1:
        members, repairs = {**members, "answer": boxes[0].content}, [*repairs, "json_answer"]
    are_lists = any(members[name] is not found[key] for name, key in keys.items() if name in names and key not in LISTS)
    return members, repairs + (["json_lines"] if are_lists else [])


def _object_of(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The object with all the fields: the value, or the only one inside it; {} where it is no object."""
    inside = list(value.values()) if isinstance(value, dict) else []
    objects = [part[0] if isinstance(part, list) and len(part) == 1 else part for part in (value, *inside)]
    whole = [one for one in objects if isinstance(one, dict) and set(names) <= set(map(field_of, one))]
    return whole[0] if len(whole) == 1 else (value if isinstance(value, dict) else {})


def _joined(part: Any) -> Any:
    """A list of texts, or of objects of one text each, as lines; anything else as it is."""
    steps = list(part.values()) if isinstance(part, dict) and all(map(STEP.fullmatch, part)) else part
    if not isinstance(steps, list) or not steps:
        return part
    lines = [next(iter(step.values())) if isinstance(step, dict) and len(step) == 1 else step for step in steps]
    return "\n".join(lines) if all(isinstance(line, str) for line in lines) else part
