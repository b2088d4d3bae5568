r"""The JSON schemas that a teacher is asked to keep: a problem's fields, and for small models the bounds of each.

    schema_of("cot")                         -> problem, solution and answer, any texts
    schema_of("cot", "aime", is_bounded=True)  -> problem: a question; steps: 1 to 6 lines; answer: a whole number from 0 to 999

OpenAI's strict mode asks that every property is required and no other is allowed. The bounds are patterns of printable ASCII without
`"` and `\`, so no field ends the text that holds it, whichever grammar a server makes of them (llama.cpp takes `^...$` alone, and no `\d`).
"""

from typing import Any, Literal

Form = Literal["tags", "json", "bounded_json"]
FIELDS = {"cot": ("problem", "solution", "answer"), "tool": ("problem", "program", "output", "answer")}
CHARACTER = r"[ !#-\[\]-~]"
QUESTION = rf"^[A-Z]{CHARACTER}{{30,300}}[?]$"
LINE = rf"^{CHARACTER}{{2,80}}$"
MAX_STEPS, MAX_PROGRAM_LINES = 6, 16
NUMBER = "^-?[0-9]{1,9}([.][0-9]{1,6}|/[0-9]{1,6})?$"
LEVEL_ANSWERS = {"aime": "^[0-9]{1,3}$"}  # as its prompt asks


def schema_of(mode: str, level: str = "", is_bounded: bool = False) -> dict[str, Any]:
    """The schema of a problem in one mode and level: its fields, all required, and no others."""
    properties = _bounded(mode, level) if is_bounded else {name: {"type": "string"} for name in FIELDS[mode]}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _bounded(mode: str, level: str) -> dict[str, Any]:
    """Each field with its bounds; a solution is a list of steps, a program a list of lines."""
    answer = _text(LEVEL_ANSWERS.get(level, NUMBER))
    if mode == "tool":
        return {
            "problem": _text(QUESTION), "program": _lines(MAX_PROGRAM_LINES), "output": _text(NUMBER), "answer": answer,
        }  # fmt: skip
    return {"problem": _text(QUESTION), "steps": _lines(MAX_STEPS), "answer": answer}


def _text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


def _lines(most: int) -> dict[str, Any]:
    return {"type": "array", "items": _text(LINE), "minItems": 1, "maxItems": most}
