r"""LaTeX around an answer or a part of it that says nothing of its value: boxes, bold type, colors, text.

unwrapped(r"\textbf{$\frac{1}{2}$}")  -> r"$\frac{1}{2}$"
unwrapped(r"3\text{ cm}")             -> r"3\text{ cm}": words stay in their block, for a unit may be in it
"""

import re

from stages.grading.structures import split_top

_TEXT = r"\\(?:text|mbox|mathrm|textrm|textbf|textit|mathbf|mathsf|mathit|textsf|operatorname\*?|rm|emph|textnormal)"
TEXT_BLOCK = re.compile(rf"{_TEXT}\s*\{{([^{{}}]*)\}}")
_PIECE = rf"(?:{_TEXT}\s*\{{(?!\s*(?:[eidj]|pi)\s*\}})[^{{}}]*\}}(?:\s*\^\s*(?:\{{\s*-?\d\s*\}}|-?\d))?)"
UNIT_BLOCK = re.compile(rf"(?:/\s*)?{_PIECE}(?:(?:\s|/|\\cdot|\\times|~)*{_PIECE})*\s*$")
STYLE = re.compile(
    r"\\(?:boxed|fbox|framebox|textbf|mathbf|boldsymbol|pmb|bm|underline|ensuremath|emph|textit|mathit|mathsf|mathtt|texttt|mathnormal"
    r"|text|mbox|textrm|mathrm|textcolor\s*\{[^{}]*\}|color\s*\{[^{}]*\}|colorbox\s*\{[^{}]*\})\s*\{"
)
BARE = re.compile(
    r"\\(?:boxed|fbox)\s+(?=[^\s{])|\\(?:boldmath|bf|rm|it|tt|sf|large|Large|huge|normalsize|color\s*\{[^{}]*\})(?![a-zA-Z{])"
)
FORMULA = re.compile(r"[\d\\^_=+*/<>$(]")
MAX_WRAPPERS = 20


def unwrapped(text: str) -> str:
    """Without the wrappers of formulas and numbers, from the outside in; unbalanced ones stay."""
    text = _without_group(text.strip())
    if "\\" not in text:
        return text
    text, start = BARE.sub(" ", text), 0
    for _ in range(MAX_WRAPPERS):
        found = STYLE.search(text, start)
        if not found:
            break
        end = closing(text, found.end())
        content = text[found.end() : end - 1] if end else ""
        is_box = found[0].startswith(("\\boxed", "\\fbox", "\\framebox"))
        if end and (
            is_box or (FORMULA.search(content) and not text[: found.start()].rstrip().endswith(("_", "^", "{")))
        ):
            text = f"{text[: found.start()]} {content} {text[end:]}"
        else:
            start = found.end()
    return _without_group(text.strip())


def _without_group(text: str) -> str:
    """`{3}` as 3: braces around a whole answer are TeX's; around a list they are a set's."""
    while text.startswith("{") and closing(text, 1) == len(text) and len(split_top(text[1:-1])) == 1:
        text = text[1:-1].strip()
    return text


def closing(text: str, start: int) -> int:
    """The place after the brace that closes the one before `start`; 0 if none does."""
    depth = 1
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0
