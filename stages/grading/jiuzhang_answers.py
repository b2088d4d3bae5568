r"""Taking an answer from a response, and spelling it, as the release does (jiuzhang.py says where that is known from).

extract("... so it is $\\boxed{24}$", "expression")  -> "24"
strip_answer("864\\mbox{ inches}^2", False)         -> "864^2": its faults are kept
"""

import re

from stages.grading.jiuzhang_units import UNITS, number_of_words
from stages.problems.answers import CHOICE

LAST_NUMBER = re.compile(r"-?\d*\.?\d+")
UNIT_PATTERNS = tuple((unit.partition(".")[0].strip(), re.compile(rf"(^|\W){unit}($|\W)")) for unit in UNITS)
NAMES = tuple(f"{name}{sign}" for sign in ("=", "\\in", "\\to") for name in "xyz")
REPLACED = (
    ("\\!", ""), ("bmatrix", "pmatrix"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\neq", "\\ne"), ("\\leq", "\\le"),
    ("\\geq", "\\ge"), ("\\left", ""), ("\\right", ""), ("\\{", "{"), ("\\}", "}"),
)  # fmt: skip
MAX_CHARS = 2000


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
