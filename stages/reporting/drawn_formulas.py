r"""Formulas of texts as MathML, which every browser draws; made when the page is written.

    parts_of("Solve $2x = 6$; it costs $5.")  -> [("text", "Solve "), ("math", "$2x = 6$"), ("text", "; it costs $5.")]
    mathml("$2x = 6$")                        -> "<math><mn>2</mn><mi>x</mi><mo>=</mo><mn>6</mn></math>"
    marked("Solve $2x = 6$.", formulas)       -> "Solve \x02$2x = 6$\x03.", and its MathML in `formulas`

math-core converts; what it cannot read, or the page not draw (stages/reporting/formula_rewriting.py), stays as typed. Dollars are told
from prices as Pandoc does (tex_math_dollars): no digit after, and no space inside, but where there is a command and no word. Besides, a
formula that starts as an amount has no two words in a row, and no operator at its end.
"""

import functools
import re

from markupsafe import Markup, escape
from math_core import LatexError, LatexToMathML

from stages.reporting.formula_rewriting import MACROS, TEXT_GROUP, drawable, readable
from stages.texts.formulas import MATH_ENVIRONMENTS

MAX_CHARS = 1500  # of a formula's source
MAX_GROWTH = 60  # characters of MathML for one of its source: a macro can make a page of a line
START, CODE, END = "\x02", "\x05", "\x03"  # around a formula, around code, and after both

PICTURES = "asy tikzpicture tikzcd verbatim lstlisting minted".split()
# A statement: an indented paragraph in a list is no program, though Markdown would say so elsewhere.
STATEMENT = r"(?:def|class|import|from|let|var|const|echo|export|print|return)\b|for\ \w+\ in\b|(?:if|while)\b[^\n]*[:{]\s*\n|>>>|[A-Za-z_]\w+\ =\ |\w+=\S"
PART = re.compile(
    rf"""
    (?P<code>^[ \t]*(?P<fence>`{{3,}}|~{{3,}})[^\n`]*\n.*?(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)
      | (?<![\\`\w])(?P<ticks>`+)(?:[ ][^\n`]+[ ]|(?![\s`])[^\n]*?(?<![\s`]))(?P=ticks)(?![`\w])
      | (?:\A|(?<=\n\n))(?=[ \t]+(?:{STATEMENT}))(?:(?:[ ]{{4}}|\t)(?![^\n]*\\[A-Za-z]{{2}})[^\n]+(?:\n|\Z))+
      | \[asy\].*?\[/asy\] | <(?P<tag>pre|code)\b[^<>]*>.*?</(?P=tag)>
      | \\begin\{{(?P<picture>{"|".join(PICTURES)})\}}.*?\\end\{{(?P=picture)\}})
  | (?P<math>
        (?<!\\)\$\$(?:{TEXT_GROUP}|[^$\\]|\\.|\$(?![\s$])(?:[^$\\\n]|\\.)*(?<!\s)\$(?!\$))++\$\$
      | (?<![\\\w$])\$(?=[^\s$])(?:{TEXT_GROUP}|[^$\\\n]|\\.|\n(?!\s*\n))*+(?<![\s(\[])\$(?![\d$]|(?<=[=/:;]\$)\w)
      | (?<![\\\w$])\$(?=[^$\n]*(?:\\[A-Za-z]|[\^_]))(?:{TEXT_GROUP}|[^$\\\n]|\\.)*+\$(?![\d$])
      | (?<!\\)\\\((?:{TEXT_GROUP}|(?!\\\().)+?\\\)
      | (?<!\\)\\\[(?:{TEXT_GROUP}|(?!\\\[).)+?\\\]
      | \\begin\{{(?P<name>(?:{"|".join(MATH_ENVIRONMENTS)})\*?)\}}(?:(?!\\begin\{{(?P=name)\}}).)+?\\end\{{(?P=name)\}}
      | (?P<boxed>\\boxed\s?(?=\{{))
    )""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
BRACE = re.compile(r"\\.|[{}$]", re.DOTALL)
# What tells prices: an amount or spaces inside the dollars, and a word that no command names; $12 x 5 =$; GSM8K's $<<2*3=6>>6, then 6+1=$.
AMOUNT, LOOSE = re.compile(r"\$\$?\s*\.?\d"), re.compile(r"\$(?:\s.*|.*\s)\$")
NAMES = re.compile(rf"{TEXT_GROUP}|\\(?:operatorname|math[a-z]+)\*?\s?\{{[^{{}}$]*\}}", re.DOTALL)
WORDS = re.compile(r"(?<![\\{A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
WORD = re.compile(
    r"(?<=[\s(])[a-z]{4,}(?=[\s),.$])|\b(?<!\\)(?:and|or|for|per|the|to|of|at|is|in|each|tax|off|but|was|day|he|she|we)\b"
)
BETWEEN_PRICES = re.compile(r"\$(?=\.?\d)[^$\\]*[=+*/×÷(-]\s*\$|\$[^$]*(?:<<|</|/>)[^$]*\$")
DELIMITERS = {"$$": 2, "\\[": 2, "\\(": 2, "$": 1}

TAGS = frozenset(
    "math mrow mi mn mo mtext ms mspace mfrac msqrt mroot msup msub msubsup munder mover munderover mmultiscripts mprescripts "
    "mtable mtr mtd mpadded mphantom menclose mstyle b i em span code".split()
)
ATTRIBUTES = frozenset(
    "accent accentunder class columnalign depth dir display displaystyle fence form height largeop linethickness lspace "
    "mathvariant maxsize minsize movablelimits notation rspace scriptlevel separator stretchy style symmetric voffset "
    "width".split()
)
TAG = re.compile(r"</?([a-z]+)((?: [a-z]+=\"[\w .:;,#%+-]*\")*) ?/?>")
READER = LatexToMathML(fancy_error=False, macros=MACROS)


def parts_of(text: str) -> list[tuple[str, str]]:
    """(kind, source) of the parts of a text in order, which together are the text; a kind is "text", "math" or "code"."""
    parts, place, start = [], 0, 0
    while found := PART.search(text, start):
        start = end = found.end() if found["boxed"] is None else _group_end(text, found.end())
        source = text[found.start() : end]
        if found["code"] is not None or mathml(source):
            parts += [("text", text[place : found.start()]), ("math" if found["code"] is None else "code", source)]
            place = end
        elif is_price(source):
            start = found.start() + 1  # the second dollar may be a formula's first
    return [part for part in [*parts, ("text", text[place:])] if part[1]]


def _group_end(text: str, start: int) -> int:
    """Where the group in braces at `start` ends; `start` itself if it has no end, is too long, or has a dollar."""
    depth = 0
    for found in BRACE.finditer(text, start, start + MAX_CHARS):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if found[0] == "$":
            break
        if not depth:
            return found.end()
    return start


@functools.lru_cache(maxsize=1 << 16)
def mathml(formula: str) -> str:
    """The MathML of a formula with its delimiters; empty where it is none, cannot be read, or would be more than MathML."""
    if len(formula) > MAX_CHARS or is_price(formula):
        return ""
    width = next((width for mark, width in DELIMITERS.items() if formula.startswith(mark)), 0)
    display = formula.startswith(("$$", "\\[", "\\begin"))
    body = readable(formula[width:-width] if width else formula, display)
    try:
        drawn = drawable(READER.convert_with_local_state(body, displaystyle=display))
    except (LatexError, UnicodeError):
        return ""
    return drawn if is_mathml(drawn) and len(drawn) <= MAX_GROWTH * len(formula) + 200 else ""


def is_price(formula: str) -> bool:
    """Whether its dollars are two prices', or a program's, and what stands between them is prose."""
    if not formula.startswith("$"):
        return False
    bare = NAMES.sub("", formula)
    if WORDS.search(bare) and (AMOUNT.match(formula) or not re.search(r"[\\=^_]", formula)):
        return True
    if WORD.search(bare) and (AMOUNT.match(formula) or LOOSE.fullmatch(formula)):
        return True
    return bool(BETWEEN_PRICES.fullmatch(formula))


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
