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
from stages.filtering.formula import read_formula, real_value
from stages.filtering.notation import NotFormula
from stages.filtering.printed import as_latex, forms_of, is_nothing, plain_scalars, same_truth, values_in
from stages.grading.equivalence import is_equal
from stages.grading.exact_numbers import as_number
from stages.grading.normalization import normalize, plain_words
from stages.problems.boxed_answers import boxes_in
from stages.problems.grammar import OUTPUT, PROGRAM, Rejection

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?")
NO_ONE_VALUE = re.compile(
    r"=.*(?<![=<>!])=(?!=)|=.*,\s*[a-zA-Z]{3,} |^\{-?\d+:|^\d+ (?:out )?of \d+$"
)  # a=3 b=7; counts {2: 1}
MANY_DECIMALS = 15  # of a printed root or multiple of pi


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
    boxes = [box.content for box in boxes_in(row["solution"])]
    wrong = [answer for answer in (row["answer"], *boxes) if not agrees(answer, printed)]
    if not wrong or (
        len(boxes) > 1 and agrees(", ".join(dict.fromkeys(boxes)), printed)
    ):  # a box for each value of a line
        return None
    return Rejection("program_disagrees", f"boxed {wrong[0]}, printed {printed[-100:]}")


def agrees(answer: str, printed: str) -> bool:
    """Whether an answer is what was printed: the last line with a value, the value or all values in it, or these rounded."""
    printed = plain_scalars(printed)
    last = _last_line(printed)
    value = last.rpartition(":")[2].strip() if ":" in last and "{" not in last else last
    number, shown = as_number(normalize(answer)), as_number(normalize(value))
    if (
        number
        and shown
        and not NO_ONE_VALUE.search(last)
        and abs(number.value - shown.value) <= max(abs(shown.value) / 10**9, Fraction(1, 10**12))
    ):
        return True  # binary fractions: 0.30000000000000004
    if re.fullmatch(r"[A-J]", answer.strip()) and re.search(rf"\b(?:is|option)\s+\(?{answer.strip()}\W*$", last):
        return True
    texts = [last, value] if not NO_ONE_VALUE.search(last) else []
    candidates = dict.fromkeys(form for text in (printed.strip() if texts else "", *texts) for form in forms_of(text))
    if any(is_equal(form, candidate).correct for form in {answer, as_latex(answer)} for candidate in candidates):
        return True
    words = plain_words(answer)
    if same_truth(words, value) or is_nothing(words, value) or is_nothing(answer, value):
        return True
    if _same_value(answer, as_latex(value)):
        return True
    if _is_other_formula(answer, as_latex(value)):
        return False
    if re.fullmatch(r"[a-z]{2,}", words) and re.search(rf"\b{words}\W*$", last.casefold()):
        return True
    return _has_values(answer, last, value)


def _last_line(printed: str) -> str:
    """The last line, but for a word after the values, as `Done`."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return next(
        (line for line in lines[-1:-3:-1] if not re.fullmatch(r"(?:Done|Finished|OK)\W*", line, re.I)), lines[-1]
    )


def _has_values(answer: str, last: str, value: str) -> bool:
    """Whether the numbers of an answer are those of the last line, each once and rounded perhaps."""
    wanted = _numbers(answer)
    if not wanted or "Interval" in last:
        return False
    found = [number for text in values_in(last) for number in _numbers(text)]
    if not found and (computed := real_value(as_latex(value))) is not None:
        found = [(Fraction(computed), MANY_DECIMALS)]
    return len(wanted) == len(found) and all(_is_rounded(*pair) for pair in zip(wanted, found, strict=True))


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
        or (printed[0].denominator > 1 and difference <= abs(printed[0]) / 10**6)
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
