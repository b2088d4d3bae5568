r"""Presentation MathML to LaTeX, for formulas that come without their source.

    mathml_tex(<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mn>4</mn></mfrac></math>)  ->  "x^2=\frac{1}{4}"

Letters and signs stay as they are (α, ≤): only what the form of the tree says is written with commands.
"""

import re
from collections.abc import Callable

from selectolax.lexbor import LexborNode

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lim max min sup inf det dim gcd ker deg arg".split()
)
ACCENTS = {
    "¯": "bar",
    "‾": "bar",
    "_": "bar",
    "^": "hat",
    "ˆ": "hat",
    "~": "tilde",
    "˜": "tilde",
    "→": "vec",
    "⃗": "vec",
    "˙": "dot",
    "¨": "ddot",
}
LARGE = {"∑": "\\sum", "∏": "\\prod", "∫": "\\int"}
UNSEEN = re.compile("[\u2061-\u2064\u200b]")
COMPOUND = ("mrow", "mstyle", "mfrac", "msup", "msub", "msubsup")  # which a script of theirs needs in braces
CLOSING = {"(": ")", "[": "]", "|": "|"}
SKIPPED = ("annotation", "annotation-xml", "mphantom", "none", "mprescripts")


def mathml_tex(node: LexborNode) -> str:
    """The formula of a <math> element, without the dollars."""
    return " ".join(_tex(node).split())


def _tex(node: LexborNode) -> str:
    tag = node.tag or ""
    if tag in SKIPPED:
        return ""
    children = list(node.iter())
    if tag in FORMS and len(children) >= FORMS[tag][0]:
        return FORMS[tag][1](node, children)
    if tag == "semantics":
        return _tex(children[0]) if children else ""
    if children:
        return "".join(map(_tex, children))
    return _leaf(tag, UNSEEN.sub("", node.text()).strip())


def _leaf(tag: str, text: str) -> str:
    if tag == "mspace":
        return " "
    if tag == "mtext" and text:
        return f"\\text{{{text}}}"
    if tag in ("mi", "mo") and text in FUNCTIONS:
        return f"\\{text} "
    if tag == "mi" and len(text) > 1 and text.isalpha():
        return f"\\mathrm{{{text}}}"
    if tag == "mo" and text in "{}%" and text:
        return f"\\{text}"
    return LARGE.get(text, text)


def _script(node: LexborNode) -> str:
    """The argument of ^ or _: one character needs no braces."""
    text = _tex(node).strip()
    return text if len(text) == 1 else f"{{{text}}}"


def _base(node: LexborNode) -> str:
    text = _tex(node).strip()
    is_one = node.tag not in COMPOUND or len(text) == 1 or (node.tag in ("mrow", "mstyle") and _is_fenced(text))
    return text if is_one else f"{{{text}}}"


def _is_fenced(text: str) -> bool:
    """Whether one pair of brackets, or of bars, is around all of the text."""
    if text[:1] not in CLOSING or text[-1:] != CLOSING[text[0]]:
        return False
    return not re.search("[" + re.escape(text[0] + text[-1]) + "]", text[1:-1])


def _scripts(signs: str) -> Callable[[LexborNode, list[LexborNode]], str]:
    return lambda node, parts: (
        _base(parts[0])
        + "".join(sign + _script(part) for sign, part in zip(signs, parts[1:], strict=False) if _tex(part))
    )


def _over(node: LexborNode, parts: list[LexborNode]) -> str:
    base, over = _tex(parts[0]).strip(), _tex(parts[1]).strip()
    if over in ACCENTS:
        return f"\\{ACCENTS[over]}{{{base}}}"
    return _scripts("^")(node, parts)


def _fraction(node: LexborNode, parts: list[LexborNode]) -> str:
    command = "\\binom" if (node.attributes.get("linethickness") or "").startswith("0") else "\\frac"
    return f"{command}{{{_tex(parts[0])}}}{{{_tex(parts[1])}}}"


def _fenced(node: LexborNode, parts: list[LexborNode]) -> str:
    opening, closing = node.attributes.get("open", "("), node.attributes.get("close", ")")
    comma = (node.attributes.get("separators", ",") or "")[:1]
    return f"{opening}{comma.join(map(_tex, parts))}{closing}"


def _table(node: LexborNode, parts: list[LexborNode]) -> str:
    rows = (" & ".join(_tex(cell).strip() for cell in row.iter()) for row in parts)
    return "\\begin{matrix} " + " \\\\ ".join(rows) + " \\end{matrix}"


def _root(node: LexborNode, parts: list[LexborNode]) -> str:
    if node.tag == "mroot":
        return f"\\sqrt[{_tex(parts[1])}]{{{_tex(parts[0])}}}"
    return f"\\sqrt{{{''.join(map(_tex, parts))}}}"


def _multiscripts(node: LexborNode, parts: list[LexborNode]) -> str:
    """Base, pairs of lower and upper scripts, <mprescripts>, pairs that stand before the base."""
    tags = [part.tag for part in parts]
    end = tags.index("mprescripts") if "mprescripts" in tags else len(parts)
    before, after = _pairs(parts[end + 1 :]), _pairs(parts[1:end])
    return f"{{}}{before}{_base(parts[0])}{after}" if before else _base(parts[0]) + after


def _pairs(parts: list[LexborNode]) -> str:
    return "".join("_^"[i % 2] + _script(part) for i, part in enumerate(parts) if _tex(part))


# An element's least number of children, and what writes it.
FORMS: dict[str, tuple[int, Callable[[LexborNode, list[LexborNode]], str]]] = {
    "msup": (2, _scripts("^")), "msub": (2, _scripts("_")), "msubsup": (3, _scripts("_^")), "munder": (2, _scripts("_")),
    "mover": (2, _over), "munderover": (3, _scripts("_^")), "mfrac": (2, _fraction), "msqrt": (1, _root), "mroot": (2, _root),
    "mfenced": (1, _fenced), "mtable": (1, _table), "mmultiscripts": (1, _multiscripts),
}  # fmt: skip
