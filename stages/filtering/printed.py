r"""What a program prints, as LaTeX that the graders read: values of Python and of sympy.

as_latex("Interval(-2, 7)")     -> "[-2, 7]"
as_latex("Matrix([[1/5]])")     -> r"\begin{pmatrix}1/5\end{pmatrix}"
as_latex("I*(7 + 2*I)")         -> "i(7 + 2i)"
values_in("There are 12 ways to choose 3 items.")  -> ["12"]
"""

import re

INTERVALS = {"": "[]", ".open": "()", ".Lopen": "(]", ".Ropen": "[)"}
INTERVAL = re.compile(r"\bInterval(\.open|\.Lopen|\.Ropen)?\(\s*([^(),]+),\s*([^(),]+?)\s*\)")
MATRIX = re.compile(r"\b(?:Mutable|Immutable)?(?:Dense)?Matrix\(\[(.*)\]\)", re.DOTALL)
RATIONAL = re.compile(r"\b(?:Rational|Fraction)\(\s*(-?\d+)\s*,\s*(\d+)\s*\)")
SCALAR = re.compile(
    r"\b(?:(?:np|numpy)\.\w+|Decimal|Integer|Float|mpf)\(\s*'?([^()']*)'?\s*\)|\b(?:np|numpy)\.(True|False)_"
)
ARRAY = re.compile(r"\b(?:(?:np|numpy)\.)?array\((\[[^()]*\])(?:,\s*dtype=[^()]*)?\)")
VECTOR = re.compile(r"(?<!\[)\[\s*((?:-?[\d.]+(?:e[-+]?\d+)?)(?:,?\s+-?[\d.]+(?:e[-+]?\d+)?)*)\s*\](?!\])")
WRAPPED = re.compile(r"\b(?:FiniteSet|Tuple)\(([^()]*)\)")
ROOT = re.compile(r"\bsqrt\(((?:[^()]|\([^()]*\))*)\)")
SINGLE = re.compile(r"(?:Matrix\(\[)?\[([^\[\],]+)\](?:\]\))?")  # of one value
TRUTH = {"true": "yes", "false": "no"}
EMPTY = frozenset(("[]", "{}", "()", "set()", "EmptySet", "Matrix(0, 0, [])"))
NOTHING = re.compile(
    r"\\emptyset|\\varnothing|∅|none|no (?:such )?(?:(?:real|integer|positive|valid) )*(?:solutions?|values?|roots?|integers?|numbers?)(?: exists?)?"
)
NUMBER = r"-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?(?:/\d+)?"
NAMED = re.compile(rf"(?:^|[\s,;{{(])'?[a-zA-Z_]\w*'?\s*[=:]\s*(?={NUMBER})")
LEADS_TO = re.compile(r".*(?:[:=≈]|->|→|\b(?:is|are|was|equals|gives|there (?:is|are)))\s+", re.IGNORECASE)
REMARK = re.compile(r"\s*\((?=[^()]*[a-z]{2})[^()]*\)\s*[.!]?$|[.!]$")
QUANTITY = re.compile(rf"\\?[$€£]?({NUMBER})(?:\s*(?:%|°)|\s+(?!(?:of|out|or|to|and|-)\b)[a-zA-Z].*|)")
PREFIXED = re.compile(r"0(?:b[01]+|o[0-7]+|x[\da-fA-F]+)")
BASES = {"b": 2, "o": 8, "x": 16}


def plain_scalars(text: str) -> str:
    """Without the types of numbers and arrays: `(np.float64(1.5), Decimal('2'))` is (1.5, 2), and `[1. 2.5]` [1, 2.5]."""
    text = ARRAY.sub(r"\1", SCALAR.sub(lambda m: m[1] or m[2] or "", text))
    return VECTOR.sub(
        lambda m: "[" + ", ".join(number.rstrip(".") for number in m[1].replace(",", " ").split()) + "]", text
    )


def as_latex(text: str) -> str:
    """The same text where it holds none of their forms."""
    text = re.sub(r"'(-?\d[\d./]*)'", r"\1", text.strip())
    if matrix := MATRIX.fullmatch(text):
        rows = re.findall(r"\[([^\[\]]*)\]", matrix[1]) or [row.strip() for row in matrix[1].split(",")]
        inner = " \\\\ ".join(as_latex(row).replace(",", " &") for row in rows)
        return rf"\begin{{pmatrix}}{inner}\end{{pmatrix}}"
    text = INTERVAL.sub(lambda m: f"{INTERVALS[m[1] or ''][0]}{m[2].strip()}, {m[3]}{INTERVALS[m[1] or ''][1]}", text)
    text = RATIONAL.sub(r"\\frac{\1}{\2}", text)
    text = WRAPPED.sub(lambda m: f"{{{m[1]}}}" if m[0].startswith("FiniteSet") else m[1], text)
    text = re.sub(r"\bUnion\((.*)\)", lambda m: re.sub(r"(?<=[\])]),\s*(?=[\[(])", r" \\cup ", m[1]), text)
    for _ in range(3):
        text = ROOT.sub(r"\\sqrt{\1}", text)
    text = re.sub(r"\boo\b", r"\\infty ", re.sub(r"\bpi\b", r"\\pi ", text))
    text = re.sub(r"\*\*\s*(?:\(([^()]*)\)|(-?\w+))", lambda m: f"^{{{m[1] or m[2]}}}", text)
    text = re.sub(r"(?<=\d)j\b", "i", re.sub(r"(?<![a-zA-Z])I(?![a-zA-Z])", "i", text))
    return re.sub(r"\s*\*\s*(?=[a-zA-Z(\\])", "", text)


def same_truth(answer: str, printed: str) -> bool:
    """yes, True and true"""
    words = [TRUTH.get(word, word) for word in (answer.strip(" .").casefold(), printed.strip(" .").casefold())]
    return words[0] == words[1] and words[0] in TRUTH.values()


def values_in(line: str) -> list[str]:
    """The values that a printed line gives: `x = 12, y = 7` has two, `The sum of 2 and 4 is 6` one, `7 of 12` none."""
    line = REMARK.sub("", line.strip())
    if len(names := list(NAMED.finditer(line))) > 1:
        ends = [*(found.start() for found in names[1:]), len(line)]
        return [line[found.end() : end].strip(" ,;()[]{}") for found, end in zip(names, ends, strict=True)]
    value = LEADS_TO.sub("", line, count=1).strip(" *")
    if names and re.fullmatch(r"\[?\{[^{}:,]*:[^{}:,]*\}\]?", line):  # [{x: 7}]
        return [line.partition(":")[2].strip(" {}[]")]
    if found := QUANTITY.fullmatch(value):
        return [found[1]]
    return re.findall(NUMBER, value) if re.fullmatch(rf"[\[{{(]?{NUMBER}(?:(?:, ?| ){NUMBER})*[\]}})]?", value) else []


def forms_of(value: str) -> list[str]:
    """The ways in which an answer may write a printed value."""
    forms = [value, as_latex(value)]
    if single := SINGLE.fullmatch(value):
        forms.append(as_latex(single[1]))
    if PREFIXED.fullmatch(value):
        forms += [str(int(value, 0)), f"{value[2:]}_{{{BASES[value[1]]}}}"]
    if value[:1] == "{" and len(NAMED.findall(value)) > 1:
        forms.append(f"({', '.join(values_in(value))})")
    if value[-1:] == "'" == value[:1] or (not {",", ":"} & set(value) and value[:1] in tuple("[({")):
        forms.append(value.strip("[](){}'"))
    elif value[:1] == "[" and value.count("[") == 1:
        forms.append(value.strip("[]"))
    return forms


def is_nothing(answer: str, printed: str) -> bool:
    """No solution, and an empty list."""
    return printed in EMPTY and NOTHING.fullmatch(answer.strip(" .").casefold()) is not None
