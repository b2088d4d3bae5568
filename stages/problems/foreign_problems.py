"""A problem and its solution out of a record of somebody's data set, by the names that data sets use.

problem_of({"question": "2+2?", "answer": "4"})                           -> ("2+2?", "4")
problem_of({"messages": [{"role": "user", ...}, {"role": "assistant", ...}]})
problem_of({"title": "x"})                                                -> Rejection("no_problem", "columns: title")
"""

from typing import Any

from stages.problems.grammar import Rejection

PROBLEM_NAMES = ("problem", "question", "instruction", "prompt", "query", "input")
SOLUTION_NAMES = ("solution", "response", "output", "completion", "answer")
TURNS = ("messages", "conversations", "conversation")
ASKS, ANSWERS = ("user", "human"), ("assistant", "gpt", "model")
MAX_TOLD_CHARS = 200


def problem_of(record: Any) -> tuple[str, str] | Rejection:
    """The problem and the solution, or why there is none: not_an_object, no_problem, no_solution.

    Names count in any case, and of several the first; the `input` of an `instruction` (Alpaca's form) stands behind it. Of a
    conversation it is the first question with its answer; what a system prompt says is no part of the problem. A number is a
    solution, but no problem.
    """
    if not isinstance(record, dict):
        return Rejection("not_an_object", f"a {type(record).__name__}")
    row = {str(name).lower(): value for name, value in record.items()}
    turns = next((row[name] for name in TURNS if isinstance(row.get(name), list)), None)
    if turns is None:
        problem, solution = _first(row, PROBLEM_NAMES, ASKS), _first(row, SOLUTION_NAMES, ANSWERS, _numeral)
        if problem and _text(row.get("instruction")) == problem and (more := _text(row.get("input"))):
            problem = f"{problem}\n\n{more}"
        told = _told(row, SOLUTION_NAMES if problem else PROBLEM_NAMES)
    else:
        problem, solution = _of_turns([turn for turn in turns if isinstance(turn, dict)])
        solution = solution or _first(row, SOLUTION_NAMES, ANSWERS, _numeral)
        told = f"turns of {', '.join(_role(turn) for turn in turns)[:MAX_TOLD_CHARS] or 'nobody'}"
    if problem and solution:
        return problem, solution
    return Rejection("no_solution" if problem else "no_problem", told)


def _of_turns(turns: list[dict[str, Any]]) -> tuple[str, str]:
    """The first question, and the first answer behind it."""
    asked = next((number for number, turn in enumerate(turns) if _role(turn) in ASKS), len(turns))
    return _said(turns[asked:], ASKS), _said(turns[asked:], ANSWERS)


def _first(row: dict[str, Any], names: tuple[str, ...], roles: tuple[str, ...], other: Any = lambda _: "") -> str:
    found = (_text(row.get(name)) or _said(row.get(name), roles) or other(row.get(name)) for name in names)
    return next((text for text in found if text), "")


def _said(turns: Any, roles: tuple[str, ...]) -> str:
    """What the first turn of one of the roles says; its content is a text, or a list of parts of which some are."""
    listed = turns if isinstance(turns, list) else []
    content = next((turn.get("content", turn.get("value")) for turn in listed if _role(turn) in roles), "")
    if isinstance(content, list):
        content = "\n".join(filter(None, (_text(part.get("text")) for part in content if isinstance(part, dict))))
    return _text(content)


def _role(turn: Any) -> str:
    return str(turn.get("role", turn.get("from"))) if isinstance(turn, dict) else "nobody"


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _numeral(value: Any) -> str:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _told(row: dict[str, Any], names: tuple[str, ...]) -> str:
    """What stands in the place of a text, else the columns."""
    other = next((name for name in names if row.get(name) is not None and not isinstance(row[name], str)), "")
    if other:
        return f"{other} is {str(row[other])[:MAX_TOLD_CHARS]} ({type(row[other]).__name__}), not text"
    return f"columns: {', '.join(row)[:MAX_TOLD_CHARS]}"
