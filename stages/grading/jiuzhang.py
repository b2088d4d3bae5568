r"""The official JiuZhang3.0 grader's rules, faults included, so that numbers compare with the published ones.

    grade_as_jiuzhang("24", "expression", "... $\\boxed{24}$", None, "math") -> (True, "24", "string", ())

Re-implemented from what the release does (eval/parser.py and eval/grader.py of github.com/RUCAIBox/JiuZhang3.0), whose lineage is
Hendrycks' MATH, ToRA, math-evaluation-harness, Qwen2.5-Math. Known faults that are kept: units are deleted anywhere in an
answer, a factor of 100 is always forgiven, whole numbers have a relative tolerance of 1e-4, brackets do not count, the
article "a" is option A. What is not kept: an answer that no LaTeX grammar reads is never evaluated as Python.
"""

import re
from math import isclose

from stages.grading.comparison_time import start_time
from stages.grading.exact_numbers import as_number
from stages.grading.formula_equality import constant_of, same_formula
from stages.grading.formula_values import TooLarge
from stages.grading.jiuzhang_answers import MAX_CHARS, choice, extract, strip_answer
from stages.grading.symbolic import compare_latex, is_wordy, refusal
from stages.problems.answers import CHOICE

RELATIVE_TOLERANCE = 1e-4
UNITS_KEPT = ("carpen", "minervamath")
MATRIX_START, MATRIX_END = ("\\begin{pmatrix}", "\\begin{bmatrix}"), ("\\end{pmatrix}", "\\end{bmatrix}")
MAX_DEPTH = 4
MIXED = re.compile(r"(\d)\\frac")
IMAGINARY = re.compile(r"(?<![\\a-zA-Z])i(?![a-zA-Z])")
STRUCTURE = re.compile(r"[(\[].*,.*[)\]]|\\cup|\\begin")
LETTERS = re.compile(r"(?<![\\a-zA-Z])(?:e(?![a-zA-Z])|[a-zA-Z]{2})|[,\[<>]")  # read otherwise, or not to the end


def grade_as_jiuzhang(
    gold: str, kind: str, response: str | None, pred: str | None, dataset: str
) -> tuple[bool, str, str, tuple[str, ...]]:
    """(correct, extracted, rule, flags) as the official grader would say."""
    start_time()
    name = re.sub(r"[^a-z0-9]", "", dataset.lower())
    keeps_units = name in UNITS_KEPT
    if response is not None:
        answer = extract(response, kind, keeps_units)
    else:
        answer = choice(pred or "") if kind == CHOICE else strip_answer(pred or "", keeps_units)
    if kind == CHOICE:
        return answer.strip().lower() == gold.strip().lower(), answer, "option", ()
    correct, rule = equal(answer, _reference(gold, keeps_units))
    return correct, answer, rule, ()


def _reference(gold: str, keeps_units: bool) -> str:
    if "boxed" in gold:
        return extract(gold, "", keeps_units)
    for mark in ("####", "\nA:"):
        gold = gold.rpartition(mark)[2]
    if keeps_units:
        return gold.replace("\\neq", "\\ne").replace("\\leq", "\\le").replace("\\geq", "\\ge")
    return strip_answer(gold, False)


def equal(answer: str, reference: str, depth: int = 0) -> tuple[bool, str]:
    """The release's comparison: strings, numbers with its tolerances, parts, equations, computer algebra."""
    answer, reference = answer.strip(), reference.strip()
    if answer.lower() == reference.lower():
        return True, "string"
    if max(len(answer), len(reference)) > MAX_CHARS:
        return False, "too_long"
    numbers = _digits(answer), _digits(reference)
    if numbers[0] is not None and numbers[1] is not None:
        scales = (0.01, 1.0, 100.0)
        return any(isclose(numbers[1] * s, numbers[0], rel_tol=RELATIVE_TOLERANCE) for s in scales), "number"
    if not answer or depth > MAX_DEPTH:
        return False, "no_answer"
    if "pmatrix" in answer and "pmatrix" not in reference:
        reference = ", ".join(
            f"\\begin{{pmatrix}}{m.strip('{}').replace(',', chr(92))}\\end{{pmatrix}}"
            for m in re.findall(r"\{.*,.*\}", reference)
        )
    if _without_brackets(answer, reference):
        return True, "brackets"
    for compare in (_parts, _matrices, _equations):
        if compare(answer, reference, depth):
            return True, compare.__name__.strip("_")
    return _symbolic(answer, reference)


def _digits(text: str) -> float | None:
    text = text.replace(",", "")
    for candidate, scale in ((text, 1), (text.removesuffix("%").removesuffix("\\"), 100)):
        try:
            return float(candidate) / scale
        except ValueError:
            if not text.endswith("%"):
                return None
    return None


def _without_brackets(answer: str, reference: str) -> bool:
    pair = (answer, reference)
    square = answer.startswith("[") and answer.endswith("]") and not reference.startswith("(")
    if square or (answer.startswith("(") and answer.endswith(")") and not reference.startswith("[")):
        pair = (answer.strip("[]()"), reference.strip("[]()"))
    bare = [re.sub(r"[{}()]", "", text).lower() for text in pair]
    return bare[0] == bare[1]


def _parts(answer: str, reference: str, depth: int) -> bool:
    bracketed = re.compile(r"[(\[].+[)\]]")
    if not bracketed.match(answer) or not bracketed.match(reference):
        return False
    return _all_equal(answer[1:-1].split(","), reference[1:-1].split(","), depth)


def _matrices(answer: str, reference: str, depth: int) -> bool:
    if not all(t.startswith(MATRIX_START) and t.endswith(MATRIX_END) for t in (answer, reference)):
        return False
    lines = [
        [line.strip() for line in text[len(MATRIX_START[0]) : -len(MATRIX_END[0])].split("\\\\") if line.strip()]
        for text in (answer, reference)
    ]
    return len(lines[0]) == len(lines[1]) and all(
        _all_equal(a.split("&"), b.split("&"), depth) for a, b in zip(*lines, strict=True)
    )


def _all_equal(answers: list[str], references: list[str], depth: int) -> bool:
    return len(answers) == len(references) and all(
        equal(a, b, depth + 1)[0] for a, b in zip(answers, references, strict=True)
    )


def _equations(answer: str, reference: str, depth: int) -> bool:
    counts = answer.count("="), reference.count("=")
    sides = [[side.strip() for side in text.split("=")] for text in (answer, reference)]
    if counts == (1, 1):
        differences = [f"{left} - ({right})" for left, right in sides]
        return any(_symbolic(one, differences[1])[0] for one in (differences[0], f"-({differences[0]})"))
    if counts == (1, 0) and len(sides[0][0]) <= 2:
        return equal(sides[0][1], reference, depth + 1)[0]
    if counts == (0, 1) and len(sides[1][0]) <= 2:
        return equal(answer, sides[1][1], depth + 1)[0]
    return False


def _symbolic(answer: str, reference: str) -> tuple[bool, str]:
    if "{,}" in answer or "{,}" in reference:  # neither of its readers of LaTeX knows this mark of thousands
        return False, "unparsed"
    if (verdict := _by_value(answer, reference)) is not None:
        return verdict, "symbolic"
    if is_wordy(answer) != is_wordy(reference):
        return False, "words"
    if reason := refusal(answer) or refusal(reference):
        return False, reason
    return compare_latex(answer, reference, "jiuzhang")


def _by_value(answer: str, reference: str) -> bool | None:
    """What the algebra would say of two numbers, or of two formulas that differ; None where only it can tell."""
    if all(STRUCTURE.search(text) for text in (answer, reference)) or answer.count("=") == 1 == reference.count("="):
        return False  # neither of its readers of LaTeX knows these; their parts were compared
    answer, reference = (_as_it_reads(text) for text in (answer, reference))
    if any(text.lstrip("+-") == "\\infty" for text in (answer, reference)) and answer != reference:
        return False
    if refusal(answer) or refusal(reference) or LETTERS.search(answer + " " + reference):
        return None
    try:
        numbers = as_number(answer), as_number(reference)
        if numbers[0] and numbers[1]:
            return isclose(float(numbers[1].value), float(numbers[0].value), rel_tol=RELATIVE_TOLERANCE)
        values = constant_of(answer), constant_of(reference)
        if values[0] and values[1] and values[0].is_real and values[1].is_real:
            return isclose(float(values[1].value.real), float(values[0].value.real), rel_tol=RELATIVE_TOLERANCE)
        return False if "=" not in answer + reference and same_formula(answer, reference) is False else None
    except (TooLarge, OverflowError):
        return None


def _as_it_reads(text: str) -> str:
    """A whole number before a fraction is a factor, and `i` is a letter like any other."""
    text = MIXED.sub(r"\1\\cdot\\frac", text.replace("\\\\", "\\").replace(" ", ""))
    return IMAGINARY.sub(r"\\xi_{1}", text)
