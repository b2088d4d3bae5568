r"""LaTeX: preambles, comments, labels and commands of layout go out; what their arguments say to a reader stays.

    clean_latex("\\begin{document}Let $x$ % a note\nbe \\emph{odd}.\\label{a}\\end{document}")  ->  "Let $x$\nbe odd."

A `%` begins a comment only where TeX would read it so: in a LaTeX source; in prose with some LaTeX in it, and within
an environment of mathematics, only where nothing else can be meant. Never after a backslash, a number (20%), or in an address.
"""

import bisect
import re

from stages.texts.formulas import FORMULA, MATH_ENVIRONMENTS

BEGIN = "\\begin{document}"
BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
PREAMBLE = re.compile(r"^[ \t]*(?:\\documentclass|\\documentstyle|\\RequirePackage)", re.MULTILINE)
MATH = "|".join(MATH_ENVIRONMENTS)
# What only a LaTeX source has; web pages with MathJax have environments of mathematics, \label and \ref, too.
SOURCE = re.compile(
    r"\\(?:sub)*section\*?\{|\\chapter\*?\{|\\documentclass|\\(?:re)?newcommand(?![a-zA-Z])|\\(?:uses|lean)\{"
)
# What a source has, and prose with some LaTeX in it, too: there a comment is a whole line, follows a sentence's end, or is nothing but its sign.
FRAGMENT = re.compile(
    rf"\\begin\{{(?!(?:{MATH})\*?\}})[a-zA-Z]+\*?\}}|\\(?:emph|textit|cite[tp]?|footnote|item|noindent|[cC]ref)(?![a-zA-Z])"
)
WHOLE_COMMENT = re.compile(r"^[ \t]*%.*$|(?<![\\\d%])%$|(?<=[a-z)}$][.,;:])%(?!.*\\end\{).*$", re.MULTILINE)
MATH_ENVIRONMENT = re.compile(rf"\\begin\{{((?:{MATH})\*?)\}}.*?\\end\{{\1\}}", re.DOTALL)
# Within an environment in other prose: after a blank, where no row and no environment ends behind it, or nothing but its sign.
COMMENT_IN_MATH = re.compile(r"(?:(?<!\S)(?<!\d[ ])|(?<=\\\\))%(?!.*(?:\\\\|\\end\{)).*|(?<![\\\d])%$", re.MULTILINE)
COMMENTED_LINE = re.compile(r"^[^%\n]*%.*$", re.MULTILINE)
# In order: a line end or an escaped sign, an address, a percent sign after a number, a comment.
NOUNS = "off?|more|less|fewer|higher|lower|greater|larger|smaller|rise|fall|increase|decrease|growth|discount|interest|chance|probability"
COMMENT = re.compile(
    r"(\\url\{[^{}]*\}|\\.|https?://[^\s{}]*|\d\$?%(?=[\s.,;:!?)\]}'\"/–—-]|\Z)|"
    rf"\d [%](?=[.,;:!?)]|[ \t](?:{NOUNS}|to|and|or|is|are|was|were|per|by|in|as|a)\b)|%(?=[ \t]+of\b))|%.*"
)
DROPPED_ENVIRONMENT = re.compile(
    r"\\begin\{(thebibliography|comment|tikzpicture|filecontents|abstract\*|CCSXML)\}(?:(?!\\begin\{\1\}).)*?\\end\{\1\}",
    re.DOTALL,
)
# Commands that print nothing a reader needs, by the number of their arguments: labels, citations, index, formal proofs.
ARGUMENT = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
OPTION = r"(?:\[[^\[\]]*\])*"
DROPPED = re.compile(
    r"\\(?:(?P<many>indexsee|setlength|setcounter|addcontentsline|olfileid|newcommand|renewcommand)|"
    r"label|cite[a-z]*|nocite|index|indexdef|lean|uses|proves|discussion|includegraphics|bibliography|bibliographystyle|usepackage|"
    r"documentclass|input|include|PMlinkescapeword|PMlinkescapephrase|pagestyle|thispagestyle|ollabel|leanok|mathlibok|notready|derived)"
    rf"(?![a-zA-Z])\*?(?(many)(?:[ \t]*\\[a-zA-Z]+)?){OPTION}(?:[ \t]*{ARGUMENT})?{OPTION}(?(many)(?:{ARGUMENT}){{0,2}})"
)
PROGRAM = re.compile(
    rf"\\code{ARGUMENT}(?=[ \t]*(?:\n|\Z))"
)  # a link to a program on a line's end; elsewhere it is text
REFERENCE = re.compile(r"\\(?:ref|eqref|pageref|cref|Cref|autoref|vref|olref|nameref)\*?(?:\[[^\[\]]*\])*\{[^{}]*\}")
REFERENCE_MARK = "[ref]"
GONE = "\x00"  # where something was taken out, so that a line that held nothing else goes with it
GONE_LINE = re.compile(rf"\n[ \t]*(?:{GONE}[ \t]*)+(?=\n|\Z)")
# With the blank before it, where none is needed: "is \\index{a}." but not "is \\index{a}prime".
GONE_BEFORE_END = re.compile(rf"[ ~](?:{GONE}[ ~]?)*{GONE}(?=[\s~.,;:!?)\]]|\Z)")
BLANK = re.compile(
    r"\\underline\{(?:\s|\\hspace\*?\{[^{}]*\}|\\q?quad|\\[ ,;:!]|~)+\}|\\rule\{(?!0)[^{}]*\}\{[^{}]*\}|\\(?:hrule|dot)fill(?![a-zA-Z])"
)
SPACING = re.compile(
    r"\\(?:noindent|medskip|smallskip|bigskip|newpage|clearpage|maketitle|tableofcontents|centering|hfill|vfill|qedhere)(?![a-zA-Z])|"
    r"\\[hv]space\*?\{[^{}]*\}"
)
PARAGRAPH = re.compile(r"\\par(?![a-zA-Z])")
STYLE = re.compile(
    r"\\(?:(?:emph|textbf|textit|textsl|textrm|texttt|textsc|underline|PMlinkescapetext|olsection|code)\{([^{}]*)\}|"
    r"(?:PMlinkname|PMlinkid|PMlinkexternal|htmladdnormallink)\{([^{}]*)\}(?:\{[^{}]*\})?|"
    r"(?:href|usetoken)\{[^{}]*\}\{([^{}]*)\}|texorpdfstring\{((?:[^{}]|\{[^{}]*\})*)\}\{[^{}]*\})|"
    r"\{\\(?:em|bf|it|sl|tt|rm|sc)(?![a-zA-Z])\s*([^{}]*)\}"
)
HEADING = re.compile(
    r"\\(?:part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?(?:\[[^\[\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}"
)


def clean_latex(text: str) -> str:
    """The text without what LaTeX does not print; formulas and unknown commands stay as they are."""
    is_source = BEGIN in text or SOURCE.search(text) is not None
    if BEGIN in text:
        text = _body(text)
    if is_source:
        text = DROPPED_ENVIRONMENT.sub("", without_comments(text))
    elif "%" in text and FRAGMENT.search(text):
        text = DROPPED_ENVIRONMENT.sub("", WHOLE_COMMENT.sub(GONE, text))
    elif "%" in text and "\\begin{" in text:
        text = MATH_ENVIRONMENT.sub(lambda found: COMMENT_IN_MATH.sub(GONE, found[0]), text)
    elif FRAGMENT.search(text):
        text = DROPPED_ENVIRONMENT.sub("", text)
    text = BLANK.sub("____", text) if "\\underline{" in text or "\\rule{" in text or "fill" in text else text
    text = PARAGRAPH.sub("\n\n", text) if "\\par" in text else text
    text = PROGRAM.sub(GONE, text) if "\\code{" in text else text
    text = SPACING.sub(" ", DROPPED.sub(GONE, REFERENCE.sub(REFERENCE_MARK, text)))
    if GONE in text:
        text = GONE_BEFORE_END.sub("", GONE_LINE.sub("", text))
        text = text.replace(f"~{GONE}", " ").replace(GONE, "")
    for _ in range(2):  # one style within another
        text, count = _without_styles(text)
        if not count:
            break
    return HEADING.sub(r"\n\n\1\n\n", text)


def without_comments(text: str) -> str:
    """The text with a mark in the place of each comment."""
    if "%" not in text:
        return text
    return COMMENTED_LINE.sub(lambda line: COMMENT.sub(lambda found: found[1] or GONE, line[0]), text)


def _without_styles(text: str) -> tuple[str, int]:
    """The text without commands of style outside of formulas, where an underline may tell one letter from another."""
    if not STYLE.search(text):
        return text, 0
    formulas = [found.span() for found in FORMULA.finditer(text)]
    starts = [start for start, _ in formulas]

    def content(found: re.Match[str]) -> str:
        place = bisect.bisect_right(starts, found.start()) - 1
        is_within = place >= 0 and found.end() <= formulas[place][1]
        return found[0] if is_within else next(filter(None, found.groups()), "")

    return STYLE.subn(content, text)


def _body(text: str) -> str:
    """What stands between \\begin{document} and \\end{document}, after prose that comes before the preamble."""
    first = PREAMBLE.search(text)
    before = text[: first.start()] if first and first.start() < text.index(BEGIN) else ""
    is_prose = "\\" not in before and not before.lstrip().startswith("%")
    return "\n\n".join([before] * is_prose + BODY.findall(text))
