r"""Where the formulas of a text are: between dollars, in \(...\) and \[...\], and in the environments of mathematics.

without_formulas("Let $x$ be 3.")  ->  "Let   be 3."
"""

import re

MAX_INLINE_CHARS = 300  # a dollar sign without its partner is a price
MATH_ENVIRONMENTS = tuple(
    "equation align alignat aligned gather gathered multline eqnarray displaymath math array matrix pmatrix bmatrix vmatrix "
    "cases split CD xymatrix flalign dcases smallmatrix subequations".split()
)
INLINE = rf"(?<![\\$])\$(?!\$)(?:[^$\\\n]|\\.|\n(?!\n)){{1,{MAX_INLINE_CHARS}}}\$|\\\(.{{1,{MAX_INLINE_CHARS}}}?\\\)"
DISPLAY = r"\$\$.{1,5000}?\$\$|(?<!\\)\\\[.{1,5000}?\\\]"
FORMULA = re.compile(
    rf"{INLINE}|{DISPLAY}|\\begin\{{(?P<name>(?:{'|'.join(MATH_ENVIRONMENTS)})\*?)\}}.*?\\end\{{(?P=name)\}}", re.DOTALL
)


def without_formulas(text: str, mark: str = " ") -> str:
    """The text with a mark in the place of each formula."""
    return FORMULA.sub(mark, text)
