r"""Which mode a problem has, from what is written: a program is run, or its problem is rejected.

mode_of({"mode": "cot", "solution": "```python\nprint(7)\n```\n..."})       -> "tool"
mode_of({"mode": "cot", "solution": "x = symbols('x')\nprint(solve(x - 7))"}) -> Rejection("unrun_program", "x = symbols(")
"""

import re

from stages.core.tables import Row
from stages.filtering.code_marks import asked_program, first_code, told_run
from stages.problems.grammar import OUTPUT, PROGRAM, Rejection
from stages.problems.student_format import COT, TOOL

DRAWING = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)


def mode_of(row: Row) -> str | Rejection:
    """ "cot" or "tool"; a Rejection where a program stands that nobody would run, or none that should."""
    problem, solution = (DRAWING.sub(" ", row[part]) for part in ("problem", "solution"))
    programs = PROGRAM.findall(solution)
    if len(programs) > 1:
        return Rejection("unrun_program", f"{len(programs)} programs, of which one is run")
    if row["mode"] == TOOL and not programs:
        return Rejection("no_program", "a tool solution without a program")
    if programs:
        code = first_code(OUTPUT.sub(" ", PROGRAM.sub(" ", solution)))
        return Rejection("unrun_program", code) if code else TOOL
    if code := first_code(solution) or told_run(solution):
        return Rejection("unrun_program", code)
    if code := first_code(problem) or asked_program(problem):
        return Rejection("unrun_program", f"in the problem: {code}")
    return COT
