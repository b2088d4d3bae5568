"""Tool solutions: the program is run, its real output takes the place of the claimed one, and the answer must agree.

check_program(row, Execution("ok", "42\\n", "")) -> None, or Rejection("program_disagrees", "boxed 41, printed 42")
"""

import re
from fractions import Fraction

from stages.core.tables import Row
from stages.execution.executions import is_chance, may_draw
from stages.execution.sandbox import Execution
from stages.execution.transcript import tame_output
from stages.filtering.asked_formulas import is_identity
from stages.filtering.formula import read_formula
from stages.filtering.notation import NotFormula
from stages.filtering.printed import as_latex, same_truth
from stages.grading.equivalence import is_equal
from stages.grading.exact_numbers import as_number
from stages.grading.normalization import normalize, plain_words
from stages.problems.boxed_answers import boxes_in
from stages.problems.grammar import OUTPUT, PROGRAM, Rejection

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?")


def program_of(row: Row) -> str | None:
    """The program of a solution: the last, as the transcript's reader would have had it run."""
    found = PROGRAM.findall(row["solution"])
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
    for answer in (row["answer"], *(box.content for box in boxes_in(row["solution"]))):
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
    candidates = dict.fromkeys(
        (last, value, value.strip("[](){}'"), as_latex(value), as_latex(last), as_latex(printed))
    )
    if any(is_equal(form, candidate).correct for form in {answer, as_latex(answer)} for candidate in candidates):
        return True
    if same_truth(plain_words(answer), value) or _same_value(answer, as_latex(value)):
        return True
    if _is_other_formula(answer, as_latex(value)):
        return False
    word = plain_words(answer)
    if re.fullmatch(r"[a-z]{2,}", word) and re.search(rf"\b{word}\W*$", last.casefold()):
        return True
    wanted = _numbers(answer)
    found = _numbers(printed)
    if len(wanted) > 1 and ("Interval" in printed or len(wanted) != len(_numbers(last))):
        return False  # some of the values that were printed
    if len(wanted) > 1:
        return all(_is_rounded(*pair) for pair in zip(wanted, _numbers(last), strict=True))
    return bool(wanted) and len(wanted) <= len(found) and all(any(_is_rounded(a, b) for b in found) for a in wanted)


def _same_value(answer: str, printed: str) -> bool:
    """2i and i(1 + 1): formulas without letters of one value."""
    try:
        sides = [read_formula(text) for text in (answer, printed)]
        values = [side.value({}) for side in sides if not side.names]
    except NotFormula:
        return False
    return len(values) == 2 and abs(values[0] - values[1]) <= 1e-9 * max(1e-9, abs(values[1]))


def _is_other_formula(answer: str, printed: str) -> bool:
    """11x^2 and 11x^2 - x: both have letters, so their numbers alone say nothing."""
    try:
        one, other = read_formula(answer), read_formula(printed)
    except NotFormula:
        return False
    return bool(one.names and other.names) and not is_identity(one, other, {})


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
    """The problem with what its program really printed in the last output block, or behind the program if there is none."""
    solution, block = row["solution"], f"```output\n{tame_output(execution.stdout)}\n```"
    if spans := [found.span() for found in OUTPUT.finditer(solution)]:
        start, end = spans[-1]
    elif programs := list(PROGRAM.finditer(solution)):
        start = end = programs[-1].end()
        block = f"\n{block}"
    else:
        return row
    return {**row, "solution": f"{solution[:start]}{block}{solution[end:]}"}


def worth_a_second_run(programs: list[str]) -> list[str]:
    return [program for program in programs if may_draw(program)]
