r"""What a program prints, as LaTeX that the graders read: values of Python and of sympy.

as_latex("Interval(-2, 7)")     -> "[-2, 7]"
as_latex("Matrix([[1/5]])")     -> r"\begin{pmatrix}1/5\end{pmatrix}"
as_latex("I*(7 + 2*I)")         -> "i(7 + 2i)"
"""

import re

INTERVALS = {"": "[]", ".open": "()", ".Lopen": "(]", ".Ropen": "[)"}
INTERVAL = re.compile(r"\bInterval(\.open|\.Lopen|\.Ropen)?\(\s*([^(),]+),\s*([^(),]+?)\s*\)")
MATRIX = re.compile(r"\b(?:Mutable|Immutable)?(?:Dense)?Matrix\(\[(.*)\]\)", re.DOTALL)
RATIONAL = re.compile(r"\b(?:Rational|Fraction)\(\s*(-?\d+)\s*,\s*(\d+)\s*\)")
WRAPPED = re.compile(r"\b(?:FiniteSet|Tuple|Integer|Float|Decimal|np\.(?:float|int)\d+)\(([^()]*)\)")
ROOT = re.compile(r"\bsqrt\(((?:[^()]|\([^()]*\))*)\)")
TRUTH = {"true": "yes", "false": "no"}


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
