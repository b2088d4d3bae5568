r"""Formulas of texts as MathML, which every browser draws; made when the page is written.

    parts_of("Solve $2x = 6$; it costs $5.")  -> [("text", "Solve "), ("math", "$2x = 6$"), ("text", "; it costs $5.")]
    mathml("$2x = 6$")                        -> "<math><mn>2</mn><mi>x</mi><mo>=</mo><mn>6</mn></math>"
    marked("Solve $2x = 6$.", formulas)       -> "Solve \x02$2x = 6$\x03.", and its MathML in `formulas`

math-core converts; what it cannot read stays as typed. Dollars are told from prices as Pandoc does (tex_math_dollars): no space
inside, no digit after; besides, a formula that starts as an amount has no two words in a row.
"""

import functools
import re

from markupsafe import Markup, escape
from math_core import LatexError, LatexToMathML

from stages.texts.formulas import MATH_ENVIRONMENTS

MAX_CHARS = 1500  # of a formula's source
MAX_GROWTH = 60  # characters of MathML for one of its source: a macro can make a page of a line
START, CODE, END = "\x02", "\x05", "\x03"  # around a formula, around code, and after both

BRACED = r"\{(?:[^{}$]|\{(?:[^{}$]|\{(?:[^{}$]|\{[^{}$]*\})*\})*\})*\}"
PART = re.compile(
    rf"""
    (?P<code>^```[^\n`]*\n.*?(?:^```[ \t]*$|\Z))
  | (?P<math>
        (?<!\\)\$\$(?:[^$\\]|\\.)+\$\$
      | (?<![\\\w$])\$(?=[^\s$])(?:[^$\\\n]|\\.|\n(?!\s*\n))*(?<!\s)\$(?![\d$])
      | (?<!\\)\\\((?:(?!\\\().)+?\\\)
      | (?<!\\)\\\[(?:(?!\\\[).)+?\\\]
      | \\begin\{{(?P<name>(?:{"|".join(MATH_ENVIRONMENTS)})\*?)\}}(?:(?!\\begin\{{(?P=name)\}}).)+?\\end\{{(?P=name)\}}
      | \\boxed\s?{BRACED}
    )""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
AMOUNT = re.compile(r"\$\d")
WORDS = re.compile(r"(?<![\\{A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
DELIMITERS = {"$$": 2, "\\[": 2, "\\(": 2, "$": 1}

TAGS = frozenset(
    "math mrow mi mn mo mtext ms mspace mfrac msqrt mroot msup msub msubsup munder mover munderover mmultiscripts mprescripts "
    "mtable mtr mtd mpadded mphantom menclose mstyle b i".split()
)
ATTRIBUTES = frozenset(
    "accent accentunder class columnalign depth dir display displaystyle fence form height largeop linethickness lspace "
    "mathvariant maxsize minsize movablelimits notation rspace scriptlevel separator stretchy style symmetric voffset "
    "width".split()
)
TAG = re.compile(r"</?([a-z]+)((?: [a-z]+=\"[\w .:;,#%+-]*\")*) ?/?>")
READER = LatexToMathML(fancy_error=False, macros={"mbox": r"\text{#1}"})


def parts_of(text: str) -> list[tuple[str, str]]:
    """(kind, source) of the parts of a text in order, which together are the text; a kind is "text", "math" or "code"."""
    parts, place = [], 0
    for found in PART.finditer(text):
        if found["code"] is not None or mathml(found[0]):
            kind = "math" if found["code"] is None else "code"
            parts += [("text", text[place : found.start()]), (kind, found[0])]
            place = found.end()
    return [part for part in [*parts, ("text", text[place:])] if part[1]]


@functools.lru_cache(maxsize=1 << 16)
def mathml(formula: str) -> str:
    """The MathML of a formula with its delimiters; empty where it is none, cannot be read, or would be more than MathML."""
    if len(formula) > MAX_CHARS or (AMOUNT.match(formula) and WORDS.search(formula)):
        return ""
    width = next((width for mark, width in DELIMITERS.items() if formula.startswith(mark)), 0)
    body = formula[width:-width] if width else formula
    try:
        drawn = READER.convert_with_local_state(body, displaystyle=formula.startswith(("$$", "\\[", "\\begin")))
    except (LatexError, UnicodeError):
        return ""
    return drawn if is_mathml(drawn) and len(drawn) <= MAX_GROWTH * len(formula) + 200 else ""


def is_mathml(drawn: str) -> bool:
    """Whether it has only the elements and attributes of MathML that are shown: no script, no address, no event."""
    for name, attributes in TAG.findall(drawn):
        if name not in TAGS or not set(re.findall(r" ([a-z]+)=", attributes)) <= ATTRIBUTES:
            return False
    return not re.search("[<>]", TAG.sub("", drawn))


def marked(text: str, formulas: dict[str, str]) -> str:
    """The text with marks around its formulas and its code, for the page's script; adds the MathML of each formula."""
    told = []
    for kind, source in parts_of(without_marks(text)):
        if kind == "math":
            formulas[source] = mathml(source)
        told.append(source if kind == "text" else f"{START if kind == 'math' else CODE}{source}{END}")
    return "".join(told)


def without_marks(text: str) -> str:
    return text.translate(dict.fromkeys(map(ord, (START, CODE, END))))


def prose(text: str) -> Markup:
    """A text as HTML: formulas drawn, code in its own type; below it, where that differs, the text as typed."""
    parts = parts_of(text)
    shown = Markup("").join(_html_of(*part) for part in parts)
    block = Markup('<div class="prose">{}</div>').format(shown)
    if all(kind != "math" for kind, _ in parts):
        return block
    return block + Markup('<details class="typed"><summary>As typed</summary><pre>{}</pre></details>').format(text)


def _html_of(kind: str, source: str) -> Markup:
    if kind == "math":
        return Markup(mathml(source))
    return Markup("<code>{}</code>").format(source) if kind == "code" else escape(source)
