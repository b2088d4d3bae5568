r"""What stands between a formula as people type it, math-core, and a browser without a font for mathematics.

    readable(r"x=1 \tag{2}", display=True)   -> r"\begin{equation*}x=1 \tag{2}\end{equation*}"
    drawable(drawn)                          -> its MathML with bars, wide hats, arrows and strikes as classes of page.css; or ""

Browsers stretch an accent only with a font that has a table for it, which many machines lack: then a bar covers one letter of two. The
stylesheet draws these at the width of what they cover. What it has no drawing for stays as typed, as does an accent that would stand
beside its letter. The page bounds how light a color is (--typed), so that it is seen on light and dark ground.
"""

import html
import re
import unicodedata
from xml.etree import ElementTree as XML

# \text{if $x$}: math-core reads no formula in a text. Atomic: a text group is never read as anything else.
TEXT_COMMAND = r"\\(?:text[a-z]*|mbox|hbox|emph)"
IN_TEXT = r"\$(?:[^$\\]|\\.)+\$|\\\((?:[^\\]|\\[^()])+\\\)"
PLAIN_TEXT = rf"[^{{}}$\\]|{IN_TEXT}|\\[^()]"
TEXT_GROUP = rf"(?>{TEXT_COMMAND}\s?\{{(?:{PLAIN_TEXT}|\{{(?:{PLAIN_TEXT})*\}})*\}})"
PARTS_OF_GROUP = re.compile(rf"({TEXT_COMMAND})\s?\{{(.*)\}}", re.DOTALL)
TEXT_GROUPS, FORMULA_IN_TEXT = re.compile(TEXT_GROUP, re.DOTALL), re.compile(rf"({IN_TEXT})", re.DOTALL)
SIGN_AND_SPACE, BARE_LOW_LINE = re.compile(r"(\\[%$&#_])(?=\s)"), re.compile(r"(?<!\\)_")

LABEL = re.compile(r"\\label\s*\{[^{}]*\}")
NUMBERED = r"equation|align|gather|multline"
# Commands that math-core does not know, or that say nothing of the meaning. A number that the author did not give is not known here,
# so equations get none.
REWRITTEN = {
    rf"\\(begin|end)\{{({NUMBERED})\}}": r"\\\1{\2*}",
    r"\\(begin|end)\{displaymath\}": r"\\\1{equation*}",
    r"\\(begin|end)\{flalign\*?\}": r"\\\1{align*}",
    r"\\begin\{alignat\*?\}\s*\{\d+\}": r"\\begin{align*}",
    r"\\end\{alignat\*?\}": r"\\end{align*}",
    r"\\(begin|end)\{split\}": r"\\\1{aligned}",
    r"\\(begin|end)\{smallmatrix\}": r"\\\1{matrix}",
    r"\\(?:begin|end)\{(?:math|subequations)\}": "",
    r"\\begin\{eqnarray\*?\}": r"\\begin{array}{rcl}",
    r"\\end\{eqnarray\*?\}": r"\\end{array}",
    r"(?<!\\)\\cr(?![A-Za-z])": r"\\\\",
    r"(?<!\\)\\(?:nonumber|notag|tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge)(?![A-Za-z])": "",
    r"(?<!\\)\\(?:re)?newcommand\*?\s*\{?\\arraystretch\}?\s*\{[^{}]*\}": "",
    r"@\{(?:\\[,;:! ]|\\q?quad|\s)*\}": "",  # space between columns
}
REWRITINGS = [(re.compile(typed), known) for typed, known in REWRITTEN.items()]
HAS_ENVIRONMENT = re.compile(rf"\\begin\{{(?:{NUMBERED})\*\}}")
MACROS = {
    **dict.fromkeys(("mbox", "hbox", "textnormal"), r"\text{#1}"),
    **dict.fromkeys(("dotsb", "dotsm", "dotsi"), r"\cdots"),
    "dotso": r"\ldots",
    "underbar": r"\underline{#1}",
    "substack": r"\begin{matrix}#1\end{matrix}",
    "AA": r"\text{Å}",
    "pounds": "£",
    "euro": "€",
}

LINES = {"mover": "overline", "munder": "underline"}
OVER = {"\u0302": "widehat", "→": "arrow-right", "←": "arrow-left", "↔": "arrow-both", "⏞": "brace-over",
        "\u02d9": "dotted", "\u00a8": "dotted-twice"}  # fmt: skip
UNDER = {"⏟": "brace-under"}
STRIKES = {
    "updiagonalstrike": "strike-up",
    "downdiagonalstrike": "strike-down",
    "updiagonalstrike downdiagonalstrike": "strike-both",
}
UNDRAWN = frozenset("⏜⏝⏠⏡⎴⎵") | OVER.keys() | UNDER.keys()  # what has to stretch
LOW_LINE, VECTOR_ARROW = "\u0332", "\u20d7"
NAMED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z]+;")  # entities that HTML has and XML has not
LOOKED_AT = re.compile("<menclose|<mtable|color:|accent")  # besides combining characters
COLOR = re.compile(r"color:(#[0-9A-Fa-f]{6});?")


def readable(latex: str, display: bool) -> str:
    """A formula without its delimiters in the commands that math-core knows."""
    latex = TEXT_GROUPS.sub(lambda found: _without_inner(found[0]), LABEL.sub("", latex))
    for typed, known in REWRITINGS:
        latex = typed.sub(known, latex)
    if display and "\\tag" in latex and not HAS_ENVIRONMENT.search(latex):
        return rf"\begin{{equation*}}{latex}\end{{equation*}}"
    return latex


def _without_inner(group: str) -> str:
    r"""A text and the formulas in it one after the other: \text{a $y$ b} -> {\text{a }{y}\text{ b}}."""
    found = PARTS_OF_GROUP.fullmatch(group)
    assert found
    parts = FORMULA_IN_TEXT.split(found[2])
    if any(part.count("{") != part.count("}") for part in parts[::2]):
        return group  # a formula in a text in a text
    parts[::2] = [BARE_LOW_LINE.sub(r"\\_", SIGN_AND_SPACE.sub(r"\1{}", part)) for part in parts[::2]]
    told = [f"{found[1]}{{{part}}}" if part else "" for part in parts]
    told[1::2] = [f"{{{part[1:-1] if part.startswith('$') else part[2:-2]}}}" for part in parts[1::2]]
    return told[0] if len(told) == 1 else f"{{{''.join(told)}}}"


def drawable(drawn: str) -> str:
    """The MathML as a browser draws it right without a font for mathematics; empty where it cannot."""
    drawn = NAMED.sub(lambda found: html.unescape(found[0]), drawn)
    if not LOOKED_AT.search(drawn) and (drawn.isascii() or not any(map(unicodedata.combining, drawn))):
        return drawn
    try:
        root = XML.fromstring(drawn)
    except XML.ParseError:
        return ""
    pending = [root]
    while pending:
        if not _is_drawn(element := pending.pop()):
            return ""
        pending.extend(element)
    return XML.tostring(root, encoding="unicode")


def _is_drawn(element: XML.Element) -> bool:
    """Whether the stylesheet or any browser draws it; puts what the stylesheet draws in its terms."""
    if color := COLOR.fullmatch(element.get("style", "")):
        element.set("style", f"--typed:{color[1]}")
    if element.tag == "mtable":
        _close(element)
    if element.tag == "menclose":
        notation = element.get("notation", "")
        if notation in STRIKES:
            _classed(element, STRIKES[notation])
        return notation in STRIKES or notation == "box"
    if element.tag in LINES and len(element) == 2 and element[1].tag == "mo":
        return _is_accent_drawn(element, element[1].text or "")
    return element.tag not in ("mo", "mi") or not any(map(unicodedata.combining, element.text or ""))


def _is_accent_drawn(element: XML.Element, mark: str) -> bool:
    """The same for a term with a sign above or below it."""
    if "true" not in (element.get("accent"), element.get("accentunder")):
        return True
    stretched = OVER if element.tag == "mover" else UNDER
    if mark == LOW_LINE or mark in stretched:
        _classed(element, LINES[element.tag] if mark == LOW_LINE else stretched[mark])
    elif mark == VECTOR_ARROW:
        element[1].text = "→"
    return mark in (LOW_LINE, VECTOR_ARROW) or mark in stretched or mark not in UNDRAWN


def _classed(element: XML.Element, name: str) -> None:
    """Its first child alone, in a row of this class."""
    for child in element[1:]:
        element.remove(child)
    element.tag = "mrow"
    element.attrib.clear()
    element.set("class", name)


def _close(table: XML.Element) -> None:
    r"""A last row of nothing, which math-core makes of a last `\\`, goes; the line above it (\hline) is the table's lower border."""
    last = table[-1] if len(table) > 1 else None
    if last is None or len(last) != 1 or len(last[0]):
        return
    table.remove(last)
    for border in re.findall(r"border-top(:[^;]*;)", last[0].get("style", "")):
        table.set("style", f"{table.get('style', '')}border-bottom{border}")
