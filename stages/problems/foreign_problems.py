"""A problem and its solution out of a record of somebody's data set, by the names that data sets use.

problem_of({"question": "2+2?", "answer": "4"})                           -> ("2+2?", "4")
problem_of({"messages": [{"role": "user", ...}, {"role": "assistant", ...}]})
problem_of({"title": "x"})                                                -> Rejection("no_problem", "columns: title")
"""

from typing import Any

from stages.problems.grammar import Rejection

PROBLEM_NAMES = ("problem", "question", "instruction", "prompt", "query", "input")
SOLUTION_NAMES = ("solution", "response", "output", "completion", "answer")
TURNS = {"messages": ("role", "content"), "conversations": ("from", "value"), "conversation": ("role", "content")}
ASKS, ANSWERS = ("user", "human"), ("assistant", "gpt", "model")
MAX_TOLD_CHARS = 200


def problem_of(record: Any) -> tuple[str, str] | Rejection:
    """The problem and the solution, or why there is none: not_an_object, no_problem, no_solution.

    Of several names the first counts; the `input` of an `instruction` (Alpaca's form) stands behind it. Of a conversation it is the
    first question with its answer; what a system prompt says is no part of the problem.
    """
    if not isinstance(record, dict):
        return Rejection("not_an_object", f"a {type(record).__name__}")
    for name, (role, content) in TURNS.items():
        if isinstance(turns := record.get(name), list):
            return _of_turns([turn for turn in turns if isinstance(turn, dict)], role, content)
    problem = _first(record, PROBLEM_NAMES)
    solution = _first(record, SOLUTION_NAMES)
    if (
        problem
        and record.get("instruction") == problem
        and isinstance(more := record.get("input"), str)
        and more.strip()
    ):
        problem = f"{problem}\n\n{more}"
    return _whole(problem, solution, f"columns: {', '.join(map(str, record))[:MAX_TOLD_CHARS]}")


def _of_turns(turns: list[dict[str, Any]], role: str, content: str) -> tuple[str, str] | Rejection:
    asked = next((number for number, turn in enumerate(turns) if turn.get(role) in ASKS), len(turns))
    answered = next((turn for turn in turns[asked:] if turn.get(role) in ANSWERS), {})
    problem = turns[asked].get(content) if asked < len(turns) else ""
    told = f"turns of {', '.join(str(turn.get(role)) for turn in turns)[:MAX_TOLD_CHARS] or 'nobody'}"
    return _whole(_text(problem), _text(answered.get(content)), told)


def _whole(problem: str, solution: str, told: str) -> tuple[str, str] | Rejection:
    if not problem:
        return Rejection("no_problem", told)
    return (problem, solution) if solution else Rejection("no_solution", told)


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _text(record.get(name)))), "")


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
