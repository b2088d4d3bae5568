r"""The official JiuZhang3.0 grader's rules, faults included, so that numbers compare with the published ones.

    grade_as_jiuzhang("24", "expression", "... $\\boxed{24}$", None, "math") -> (True, "24", "jiuzhang")

Re-implemented from what the release does [R:eval/parser.py, R:eval/grader.py of RUCAIBox/JiuZhang3.0], whose lineage is
Hendrycks' MATH, ToRA, math-evaluation-harness, Qwen2.5-Math. Known faults that are kept: units are deleted anywhere in an
answer, a factor of 100 is always forgiven, whole numbers have a relative tolerance of 1e-4, brackets do not count, the
article "a" is option A. What is not kept: an answer that no LaTeX grammar reads is never evaluated as Python.
"""

import re
from math import isclose

from stages.benchmarks.loaders.answers import CHOICE
from stages.evaluation.exact_numbers import as_number
from stages.evaluation.jiuzhang_units import UNITS, number_of_words
from stages.evaluation.symbolic import compare_latex, is_wordy, refusal

RELATIVE_TOLERANCE = 1e-4
LAST_NUMBER = re.compile(r"-?\d*\.?\d+")
UNIT_PATTERNS = tuple((unit.partition(".")[0].strip(), re.compile(rf"(^|\W){unit}($|\W)")) for unit in UNITS)
UNITS_KEPT = ("carpen", "minervamath")
NAMES = tuple(f"{name}{sign}" for sign in ("=", "\\in", "\\to") for name in "xyz")
REPLACED = (
    ("\\!", ""), ("bmatrix", "pmatrix"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\neq", "\\ne"), ("\\leq", "\\le"),
    ("\\geq", "\\ge"), ("\\left", ""), ("\\right", ""), ("\\{", "{"), ("\\}", "}"),
)  # fmt: skip
MATRIX_START, MATRIX_END = ("\\begin{pmatrix}", "\\begin{bmatrix}"), ("\\end{pmatrix}", "\\end{bmatrix}")
MAX_DEPTH = 4
MAX_CHARS = 2000


def grade_as_jiuzhang(
    gold: str, kind: str, response: str | None, pred: str | None, dataset: str
) -> tuple[bool, str, str, tuple[str, ...]]:
    """(correct, extracted, rule, flags) as the official grader would say."""
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


def extract(response: str, kind: str, keeps_units: bool = False) -> str:
    """The Minerva sentence, the last box, "he answer is", "final answer is", the last number; in this order."""
    if kind == CHOICE:
        return choice(response)
    if "final answer is $" in response and "$. I hope" in response:
        found = response.split("final answer is $", 1)[1].split("$. I hope", 1)[0].strip()
    elif "boxed" in response:
        found = _last_box(response.rpartition("boxed")[2])
    elif "he answer is" in response:
        found = response.rpartition("he answer is")[2].strip()
    elif "final answer is" in response:
        found = response.rpartition("final answer is")[2].strip()
    else:
        numbers = LAST_NUMBER.findall(response.replace(",", ""))
        found = numbers[-1] if numbers else ""
    found = re.sub(r"\n\s*", "", found).removeprefix(":").removesuffix(".").removesuffix("/")
    return strip_answer(found, keeps_units)


def _last_box(rest: str) -> str:
    if not rest.startswith("{"):
        return rest.split("$")[0].strip()
    depth = 1
    for position, character in enumerate(rest[1:], 1):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[1:position]
    return rest[1:]


def choice(response: str) -> str:
    """The first letter A to E after "answer is" or "choice is", in either case; without these the last anywhere."""
    text = response.strip("\n")
    if max(text.count("choice is"), text.count("answer is")) > 1:
        text = text.split("\n\n")[0]
    pieces = re.split("choice is|answer is", text)
    text = pieces[-1].strip("\n").rstrip(".").rstrip("/").strip(" ").lstrip(":")
    letters = re.findall(r"\b([ABCDE])\b", text.upper())
    if not letters:
        return text.strip().strip(".").rstrip("/")
    return str(letters[0] if len(pieces) > 1 else letters[-1])


def strip_answer(answer: str, keeps_units: bool) -> str:
    """The release's normalisation of an answer, in its order; one longer than MAX_CHARS stays, and equals nothing else."""
    if len(answer) > MAX_CHARS:
        return answer
    text = str(answer).strip().replace("\n", "").rstrip(".")
    text = re.sub(r"\\begin\{array\}\{.*?\}", r"\\begin{pmatrix}", text)
    text = re.sub(r"\\end\{array\}", r"\\end{pmatrix}", text)
    for old, new in REPLACED:
        text = text.replace(old, new)
    text = re.sub(r"\\text{.*?}$", "", text).strip() or text
    if not keeps_units and re.search(r"[^\d.,/%$-]", text):
        for _ in range(2):
            for part, pattern in UNIT_PATTERNS:
                text = pattern.sub(r"\1\2", text) or text if part in text else text
    for mark in ("^{\\circ}", "^\\circ", "\\$", "$", "\\(", "\\)"):
        text = text.replace(mark, "")
    text = re.sub(r"\\text\{(.*?)\}", r"\1", number_of_words(text))
    for name in NAMES:
        text = text.replace(name, "")
    text = text.replace("\\emptyset", "{}").replace("(-\\infty,\\infty)", "\\mathbb{R}")
    text = text.replace("\\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    text = text.replace("infinity", "\\infty")
    text = text if "\\infty" in text else text.replace("inf", "\\infty")
    text = re.sub(r"\\mbox{.*?}", "", text.replace("and", "").replace("\\mathbf", ""))
    if "j" in text and "i" not in text:
        text = text.replace("j", "i")
    text = re.sub(r"(\d+)\.0*$", r"\1", re.sub(r"(\d+)\.0*([^\d])", r"\1\2", text))
    if not text:
        return ""
    text = f"0{text}" if text.startswith(".") else text
    name, sign, value = text.partition("=")
    text = value if sign and "=" not in value and len(name) <= 2 else text
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    return _slash_as_fraction(_braced_fractions(text))


def _braced_fractions(text: str) -> str:
    r"""`\frac12` as `\frac{1}{2}`, `\frac1{72}` as `\frac{1}{72}`."""
    head, *pieces = text.split("\\frac")
    for piece in pieces:
        if piece.startswith("{"):
            head += f"\\frac{piece}"
        elif len(piece) < 2:
            return text
        else:
            second = piece[1] if piece[1] == "{" else f"{{{piece[1]}}}"
            head += f"\\frac{{{piece[0]}}}{second}{piece[2:]}"
    return head


def _slash_as_fraction(text: str) -> str:
    top, slash, bottom = text.partition("/")
    if not slash or "/" in bottom:
        return text
    for part in (top, bottom):
        if "sqrt" not in part and not re.fullmatch(r"-?(?:0|[1-9]\d*)", part):
            return text
    return f"\\frac{{{top}}}{{{bottom}}}"


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
    numbers = as_number(answer), as_number(reference)
    if numbers[0] and numbers[1] and not re.search(r"\d\\frac", answer + reference):  # the algebra would say the same
        return isclose(float(numbers[1].value), float(numbers[0].value), rel_tol=RELATIVE_TOLERANCE), "symbolic"
    if is_wordy(answer) != is_wordy(reference):
        return False, "words"
    if reason := refusal(answer) or refusal(reference):
        return False, reason
    return compare_latex(answer, reference, "jiuzhang")
