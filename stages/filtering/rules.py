"""The filter's rules: each takes a problem and returns why it is rejected, or None.

    check_equations({"mode": "cot", "solution": "3 + 4 = 8\\n...", ...}) -> Rejection("equation", "3 + 4 = 8, not 7")

Explicit numeric equalities of a natural-language solution are computed exactly; a tool solution's program has been
run, and its real output takes the place of the claimed one.
"""

import operator
import re
from fractions import Fraction

from stages.core.tables import Row
from stages.distillation.parsing import OUTPUT, PROGRAM, Rejection
from stages.evaluation.answers import is_equal
from stages.execution.sandbox import Execution

MIN_WORDS, MAX_WORDS = 5, 400
MAX_REPEATED_FRAC = 0.5
NUMBER = r"\d+(?:\.\d+)?"
TERM = rf"{NUMBER}(?:\s*(?:[-+*/×÷]|\\times|\\cdot|\\div)\s*{NUMBER})+"
EQUATION = re.compile(rf"(?<![\w.^)}}/*+-])(?<![-+*/^] )({TERM})\s*=\s*(-?{NUMBER}(?:/\d+)?)(?![\d.]*[\d^/*(])")
NEEDS_MORE = re.compile(
    r"\b(?:figure|diagram|picture|graph) (?:above|below|shown)|\bthe (?:text|passage) above\b", re.IGNORECASE
)
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SIGNS = {"×": "*", "÷": "/", "\\times": "*", "\\cdot": "*", "\\div": "/"}


def check_self_contained(row: Row) -> Rejection | None:
    if found := NEEDS_MORE.search(row["problem"]):
        return Rejection("not_self_contained", found.group(0))
    return None


def check_length(row: Row) -> Rejection | None:
    count = len(row["problem"].split())
    if not MIN_WORDS <= count <= MAX_WORDS:
        return Rejection("length", f"the problem has {count} words, not {MIN_WORDS} to {MAX_WORDS}")
    return None


def check_repetition(row: Row) -> Rejection | None:
    """More than half of a text's 4-grams occur twice (Gopher's rule of duplicate n-grams, arXiv 2112.11446, A.1)."""
    tokens = row["problem"].split()
    grams = [tuple(tokens[i : i + 4]) for i in range(len(tokens) - 3)]
    repeated = len(grams) - len(set(grams))
    if grams and repeated > MAX_REPEATED_FRAC * len(grams):
        return Rejection("repetition", f"{repeated} of {len(grams)} 4-grams are repeated")
    return None


def check_equations(row: Row) -> Rejection | None:
    """Every `a op b ... = c` of a natural-language solution must hold exactly, or as rounded to c's places."""
    if row["mode"] != "cot":
        return None
    for left, right in EQUATION.findall(row["solution"]):
        value = calculate(left)
        if value is None or not equals_as_written(value, right):
            return Rejection("equation", f"{left} = {right}, not {value}")
    return None


def equals_as_written(value: Fraction, written: str) -> bool:
    top, _, bottom = written.partition("/")
    places = len(top.partition(".")[2])
    number = Fraction(top) / Fraction(bottom or 1) if not bottom or int(bottom) else None
    return number is not None and (
        value == number or (places > 0 and abs(value - number) <= Fraction(1, 2 * 10**places))
    )


def calculate(expression: str) -> Fraction | None:
    """The exact value of numbers joined by + - * /, products first; None for a division by zero."""
    for sign, plain in SIGNS.items():
        expression = expression.replace(sign, plain)
    tokens = re.findall(rf"{NUMBER}|[-+*/]", expression)
    for signs in ("*/", "+-"):
        result = [tokens[0]]
        for sign, number in zip(tokens[1::2], tokens[2::2], strict=True):
            if sign not in signs:
                result += [sign, number]
            elif sign == "/" and Fraction(number) == 0:
                return None
            else:
                result[-1] = str(OPERATIONS[sign](Fraction(result[-1]), Fraction(number)))
        tokens = result
    return Fraction(tokens[0])


def check_claimed_answer(row: Row) -> Rejection | None:
    """A whole-number answer of a solution with equations must occur in the working before the closing line."""
    if row["mode"] != "cot" or not re.fullmatch(r"-?\d+", row["answer"]):
        return None
    working = "\n".join(row["solution"].splitlines()[:-1])
    if EQUATION.search(working) and row["answer"].lstrip("-") not in re.findall(NUMBER, working):
        return Rejection("answer_not_derived", f"\\boxed{{{row['answer']}}} does not occur in the working")
    return None


def program_of(row: Row) -> str | None:
    """The program of a tool solution."""
    found = PROGRAM.search(row["solution"]) if row["mode"] == "tool" else None
    return found.group(1) if found else None


def check_program(row: Row, execution: Execution) -> Rejection | None:
    """The program must run, print something, and the boxed answer must be what it really prints."""
    if execution.status != "ok":
        return Rejection(f"program_{execution.status}", execution.stderr[:200])
    printed = execution.stdout.strip()
    if not printed:
        return Rejection("program_silent", "the program prints nothing")
    if not is_equal(row["answer"], printed.splitlines()[-1])[0]:
        return Rejection("program_disagrees", f"boxed {row['answer']}, printed {printed[:100]}")
    return None


def with_real_output(row: Row, execution: Execution) -> Row:
    """The problem with what its program really printed in the output block."""
    block = f"```output\n{execution.stdout.strip()}\n```"
    return {**row, "solution": OUTPUT.sub(lambda _: block, row["solution"])}


RULES = (check_self_contained, check_length, check_repetition, check_equations, check_claimed_answer)
