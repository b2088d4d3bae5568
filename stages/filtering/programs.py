"""Tool solutions: the program is run, its real output takes the place of the claimed one, and the answer must agree.

check_program(row, Execution("ok", "42\\n", "")) -> None, or Rejection("program_disagrees", "boxed 41, printed 42")
"""

import re
from fractions import Fraction

from stages.core.tables import Row
from stages.execution.executions import is_chance, may_draw
from stages.execution.sandbox import Execution
from stages.execution.transcript import tame_output
from stages.grading.equivalence import is_equal
from stages.grading.exact_numbers import as_number
from stages.grading.normalization import normalize, plain_words
from stages.problems.grammar import OUTPUT, PROGRAM, Rejection, boxed_answers

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?")


def program_of(row: Row) -> str | None:
    """The last program of a tool solution, as the transcript's reader would have had it run."""
    found = PROGRAM.findall(row["solution"]) if row["mode"] == "tool" else None
    return found[-1] if found else None


def check_program(row: Row, execution: Execution, again: dict[str, Execution]) -> Rejection | None:
    """The program must run, print something that is not chance, and the answer must be what it really prints."""
    if execution.status != "ok":
        return Rejection(f"program_{execution.status}", execution.stderr[-200:])
    printed = execution.stdout.strip()
    if not printed:
        return Rejection("program_silent", "the program prints nothing")
    if is_chance(program_of(row) or "", execution, again):
        return Rejection(
            "program_chance", f"two runs print {printed[:60]} and {again[program_of(row) or ''].stdout[:60]}"
        )
    for answer in (row["answer"], *boxed_answers(row["solution"])):
        if not agrees(answer, printed):
            return Rejection("program_disagrees", f"boxed {answer}, printed {printed[-100:]}")
    return None


def agrees(answer: str, printed: str) -> bool:
    """Whether an answer is what was printed: the last line, a value in it, or that value rounded."""
    last = printed.splitlines()[-1].strip()
    value = last.rpartition(":")[2].strip() if ":" in last else last
    number, shown = as_number(normalize(answer)), as_number(normalize(value))
    if number and shown and abs(number.value - shown.value) <= abs(shown.value) / 10**9:
        return True  # binary fractions: 0.30000000000000004
    if any(is_equal(answer, candidate).correct for candidate in dict.fromkeys((last, value, value.strip("[](){}'")))):
        return True
    word = plain_words(answer)
    if re.fullmatch(r"[a-z]{2,}", word) and re.search(rf"\b{word}\W*$", last.casefold()):
        return True
    wanted = _numbers(answer)
    found = _numbers(printed)
    if len(wanted) > 1 and len(wanted) != len(_numbers(last)):
        return False  # some of the values that were printed
    return bool(wanted) and len(wanted) <= len(found) and all(any(_is_rounded(a, b) for b in found) for a in wanted)


def _numbers(text: str) -> list[tuple[Fraction, int]]:
    numbers = []
    for written in NUMBER.findall(normalize(text) if "\\" in text else text):
        if number := as_number(written.replace(",", "")):
            numbers.append((number.value, number.decimals or 0))
    return numbers


def _is_rounded(answer: tuple[Fraction, int], printed: tuple[Fraction, int]) -> bool:
    difference = abs(answer[0] - printed[0])
    return (
        difference == 0
        or (answer[1] > 0 and difference <= Fraction(51, 100) / 10 ** answer[1])
        or difference <= abs(printed[0]) / 10**6
    )


def with_real_output(row: Row, execution: Execution) -> Row:
    """The problem with what its program really printed in the last output block."""
    block = f"```output\n{tame_output(execution.stdout)}\n```"
    spans = [found.span() for found in OUTPUT.finditer(row["solution"])]
    if not spans:
        return row
    start, end = spans[-1]
    return {**row, "solution": f"{row['solution'][:start]}{block}{row['solution'][end:]}"}


def worth_a_second_run(programs: list[str]) -> list[str]:
    return [program for program in programs if may_draw(program)]
