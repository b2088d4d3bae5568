r"""Formulas that a web page shows drawn: their source takes the place of all their copies.

    with_sources('<span class="katex"><math>...<annotation encoding="application/x-tex">x^2</annotation></math>...x2</span>')
        ->  "$x^2$"

KaTeX, MathJax 2 to 4, Wikipedia's MathML with its picture, <math> with alttext or annotation, scripts of type math/tex,
JATS, Pandoc's and Distill's elements, and pictures of LaTeX. MathML without a source is written in LaTeX
(`stages/corpus/mathml.py`). What has neither keeps its visible text.
"""

import html
import re
from collections import defaultdict
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from stages.corpus.addresses import DELIMITED, formula_of_address, is_delimited
from stages.corpus.mathml import mathml_tex

MARKS = (
    "<math",
    ":math",
    "katex",
    "mjx-",
    "MathJax",
    "mwe-math",
    "math/",
    "-formula",
    "<d-math",
    'class="math ',
    "<img",
)
ATTRIBUTES = r"""(?:[^<>"']|"[^"]*"|'[^']*')*"""
TOKEN = re.compile(
    rf"<(?P<end>/?)(?P<tag>span|div|math|mml:math|mjx-container|script|inline-formula|disp-formula|d-math|img)(?![\w-])(?P<attributes>{ATTRIBUTES})>",
    re.IGNORECASE,
)
HOLDER_CLASS = re.compile(
    r"\bclass\s*=\s*[\"'](?:[^\"']*\s)?(katex|katex-display|MathJax\w*|mjx-chtml|mwe-math-element|math (?:inline|display))(?=[\"'\s])"
)
FORMULA_SCRIPT = re.compile(r"\btype\s*=\s*[\"']?math/", re.IGNORECASE)
FORMULA_PICTURE = re.compile(
    r"\bclass\s*=\s*[\"'][^\"']*\b(?:mwe-math|latex|tex|math)\b|codecogs|latex\.php|/render/math|math(?:tex|imetex)\.cgi|cht=tx|upmath"
)
DISPLAY = re.compile(
    r"katex-display|MathJax_\w*Display|fallback-image-display|\bdisplay\s*=\s*[\"']?(?:block|true)|mode=display|math display|\bblock\b"
)
BLOCK = re.compile(r"<(?:p|h[1-6]|li|section|article)[\s>]", re.IGNORECASE)  # no formula holds it
PRESENTATION = re.compile(
    r"<(?:m(?:i|n|o|row|text|style|frac|su[bp]|table|fenced|sqrt)|semantics|annotation)\b", re.IGNORECASE
)
WIKITEXT = re.compile(
    rf"<math(?![\w-]){ATTRIBUTES}>|</math\s*>", re.IGNORECASE
)  # round LaTeX, in Wikipedia's own markup
DISPLAYED = re.compile(r"\s*\{\\(?:display|text)style\s*(?P<tex>.*)\}\s*", re.DOTALL)
ALTERNATIVE = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
DOCUMENT = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
MAX_NESTING = 200  # of one formula's elements


@dataclass
class Piece:
    """A drawn formula in a text, and what stands for it; None where its text stays."""

    start: int
    end: int
    tex: str | None
    is_script: bool
    is_copy: bool  # MathJax's visible output, whose source may be in a script after it
    is_display: bool


def with_sources(text: str) -> str:
    """The text with $...$ or $$...$$, escaped as HTML, in the place of each drawn formula."""
    if not any(mark in text for mark in MARKS):
        return text
    pieces = _pieces(text)
    _drop_copies(text, pieces)
    parts, position = [], 0
    for piece in pieces:
        if piece.tex is not None:
            parts += [text[position : piece.start], _delimited(piece)]
            position = piece.end
    return "".join([*parts, text[position:]])


def _pieces(text: str) -> list[Piece]:
    """The outermost drawn formulas, in order."""
    opened: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    found: list[tuple[int, int, str, str]] = []
    for token in TOKEN.finditer(text):
        tag, attributes = token["tag"].lower(), token["attributes"]
        if tag == "img":
            if FORMULA_PICTURE.search(attributes) or is_delimited(_alternative(attributes)):
                found.append((token.start(), token.end(), tag, attributes))
        elif not token["end"]:
            if not attributes.endswith("/"):
                opened[tag].append((token.start(), attributes, _holds_formula(tag, attributes)))
        elif opened[tag]:
            start, attributes, is_formula = opened[tag].pop()
            if is_formula:
                found.append((start, token.end(), tag, attributes))
    pieces: list[Piece] = []
    for start, end, tag, attributes in sorted(found, key=lambda piece: (piece[0], -piece[1])):
        is_whole_text = tag in ("span", "div") and BLOCK.search(text, start, end) is not None
        if not is_whole_text and (not pieces or start >= pieces[-1].end):
            pieces.append(_piece(text, start, end, tag, attributes))
    return pieces


def _alternative(attributes: str) -> str:
    found = ALTERNATIVE.search(attributes)
    return html.unescape(found[1] or found[2] or "") if found else ""


def _holds_formula(tag: str, attributes: str) -> bool:
    if tag in ("span", "div"):
        return HOLDER_CLASS.search(attributes) is not None
    return tag != "script" or FORMULA_SCRIPT.search(attributes) is not None


def _piece(text: str, start: int, end: int, tag: str, attributes: str) -> Piece:
    markup = text[start:end].replace("<mml:", "<").replace("</mml:", "</")
    tex = _source(markup, tag, attributes)
    holder = HOLDER_CLASS.search(attributes)
    is_copy = holder is not None and holder[1].startswith(("MathJax", "mjx"))
    where = attributes if tag in ("script", "math", "d-math") else markup
    return Piece(
        start,
        end,
        tex,
        tag == "script",
        is_copy,
        tag == "disp-formula" or (tag != "inline-formula" and DISPLAY.search(where) is not None),
    )


def _source(markup: str, tag: str, attributes: str) -> str | None:
    """The formula's LaTeX, or None."""
    if tag == "math" and "alttext" not in attributes and not PRESENTATION.search(markup):
        return _bare(html.unescape(WIKITEXT.sub("", markup)))
    if markup.count("<") > 2 * MAX_NESTING and _is_deep(markup):
        return None
    tree = LexborHTMLParser(markup)
    body = tree.body if tag != "script" else tree.root
    if body is None:
        return None
    if tag == "script":
        return _script_source(body.css_first("script"), attributes)
    tex = _written_source(body)
    if tex is None and (math := body.css_first("math")):
        tex = mathml_tex(math) if math.css_first("mi,mn,mo,mtext") else math.text()
    if tex is None and (tag == "d-math" or "math " in attributes) and not body.css_first("sup,sub,em,i,img"):
        tex = body.text()
    return None if tex is None else _bare(tex)


def _script_source(script: LexborNode | None, attributes: str) -> str | None:
    if script is None:
        return None
    if "math/mml" in attributes:
        math = LexborHTMLParser(script.text()).css_first("math")
        return mathml_tex(math) if math else None
    return _bare(script.text().removeprefix("% <![CDATA[").removesuffix("%]]>"))


def _written_source(body: LexborNode) -> str | None:
    """LaTeX that the markup holds as such."""
    for node in body.css("annotation"):
        if "tex" in (node.attributes.get("encoding") or "").lower():
            return node.text()
    if written := body.css_first("tex-math"):
        found = DOCUMENT.search(written.text())
        return found[1] if found else written.text()
    for name in ("alttext", "data-latex", "data-tex", "data-math"):
        if (holder := body.css_first(f"[{name}]")) and holder.attributes.get(name):
            return holder.attributes[name]
    for node in body.css("img"):
        formula = formula_of_address(node.attributes.get("src") or "") or node.attributes.get("alt")
        if formula:
            return formula
    hidden = body.css_first(".katex-mathml")  # of KaTeX whose <math> somebody took out
    return hidden.text() if hidden and not hidden.css_first("math") and hidden.text().strip() else None


def _bare(tex: str) -> str:
    """Without delimiters and the \\displaystyle that Wikipedia puts around all."""
    if found := DELIMITED.fullmatch(tex):
        tex = next(part for part in found.groups() if part is not None)
    if (found := DISPLAYED.fullmatch(tex)) and _is_balanced(found["tex"]):
        tex = found["tex"]
    return re.sub(r"\s*\n\s*\n\s*", "\n", tex.strip())


def _is_balanced(tex: str) -> bool:
    depth = 0
    for sign in re.findall(r"(?<!\\)[{}]", tex):
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _is_deep(markup: str) -> bool:
    depth = 0
    for token in re.finditer(r"<(/?)[a-zA-Z](?:[^<>]*[^<>/])?>", markup):
        depth += -1 if token[1] else 1
        if depth > MAX_NESTING:
            return True
    return False


def _drop_copies(text: str, pieces: list[Piece]) -> None:
    """Drop MathJax's output right before its source, and a formula that stands twice without anything between."""
    for piece, after in zip(pieces[-2::-1], pieces[:0:-1], strict=True):
        between = re.sub(r"</?(?:span|div|p|noscript)\b[^<>]*>", "", text[piece.end : after.start])
        is_drawn = piece.is_copy and (after.is_script or (after.is_copy and after.tex == "")) and not between.strip()
        if is_drawn or (piece.tex and piece.tex == after.tex and not between):
            piece.tex = ""


def _delimited(piece: Piece) -> str:
    if not piece.tex:
        return ""
    mark = "$$" if piece.is_display else "$"
    return html.escape(f"{mark}{piece.tex}{mark}", quote=False)
