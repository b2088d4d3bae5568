r"""Which mode a problem has, from what is written: a program is run, or its problem is rejected.

mode_of({"mode": "cot", "solution": "```python\nprint(7)\n```\n..."})       -> "tool"
mode_of({"mode": "cot", "solution": "x = symbols('x')\nprint(solve(x - 7))"}) -> Rejection("unrun_program", "print(solve(x - 7))")
"""

import re

from stages.core.tables import Row
from stages.problems.grammar import OUTPUT, PROGRAM, Rejection
from stages.problems.student_format import COT, TOOL

FENCE = re.compile(
    r"^[ \t]*(?:```|~~~)[ \t]*(?:(?:python|py|python3|sympy|sage|c|cpp|c\+\+|java|javascript|js|r|matlab|julia|ruby|go|sql|bash|sh)\b.*|(?:text|output)?[ \t]*\n[^`~]*?"
    r"(?:^\s*\w+ ?=(?!=)[^=\n]*$|\bprint\b|\bdef |\bimport |\breturn\b))",
    re.MULTILINE | re.IGNORECASE,
)
CODE = re.compile(
    r"^[ \t>]*(?:(?:from [\w.]+ )?import [\w., ]+(?: as \w+)?\s*$|def \w+\(.*\)(?: ?-> ?\w+)?:|class \w+(?:\(.*\))?:|(?:for|while|if|elif|with) .+:\s*$|else:\s*$"
    r"|return [\w(\[].*$(?<![.!?])|print ?\(.*\)?|\w+(?:, ?\w+)* = (?:sp\.|sympy\.|np\.|math\.)?(?:symbols|Symbol|solve|Eq|simplify|Rational|sqrt|diff|integrate|Matrix|solveset|factorial|range|sum|len|input|int|list)\(.*"
    r"|>>> .*|#include ?<.*|console\.log\(.*|System\.out\.print.*|cout ?<<.*)",
    re.MULTILINE,
)
DRAWING = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
INLINE = re.compile(
    r"`[^`\n]*\b(?:print|solve|symbols|import|def|Rational)\b[^`\n]*\([^`\n]*`|\bprint\((?![^)]*\bthe\b)[^)\n]*\)"
)


def mode_of(row: Row) -> str | Rejection:
    """ "cot" or "tool"; a Rejection where a program stands that nobody would run, or none that should."""
    problem, solution = (DRAWING.sub(" ", row[part]) for part in ("problem", "solution"))
    programs = PROGRAM.findall(solution)
    if len(programs) > 1:
        return Rejection("unrun_program", f"{len(programs)} programs, of which one is run")
    if row["mode"] == TOOL and not programs:
        return Rejection("no_program", "a tool solution without a program")
    words = OUTPUT.sub(" ", PROGRAM.sub(" ", solution))
    if (fence := FENCE.search(words)) is not None:
        return Rejection("unrun_program", words[fence.start() : fence.start() + 100])
    if code := code_in(words):
        return Rejection("unrun_program", code)
    if not programs and (code := code_in(problem)):
        return Rejection("unrun_program", f"in the problem: {code}")
    return TOOL if programs else COT


def code_in(text: str) -> str:
    """The first line of a text that is code, or "". Two lines, or one that only a program has."""
    lines = [found[0].strip() for found in CODE.finditer(text)]
    inline = INLINE.search(text)
    if FENCE.search(text):
        return text[FENCE.search(text).start() :][:100]  # type: ignore[union-attr]
    if inline:
        return inline[0][:100]
    certain = [line for line in lines if not re.match(r"(?:for|while|if|elif|with|else|return)\b", line)]
    return (certain or lines if certain or len(lines) > 1 else [""])[0][:100]
