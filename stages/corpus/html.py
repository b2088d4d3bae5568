"""HTML and XML to text: whole pages through a parser, remnants in other text by known tags alone.

    page_text("<html>...<nav>Home</nav><p>Let <m>x</m> be 3.</p></html>").strip()  ->  "Let $x$ be 3."
    without_tags("If a<b then <b>stop</b>.")                                       ->  "If a<b then stop."

What surrounds a page's text (navigation, headers, footers, forms, scripts) is dropped with what it holds. Formulas
stay formulas: MathJax scripts, TeX annotations of MathML, and PreTeXt's <m>, <me>, <md> become $...$ and $$...$$.
"""

import html
import re

from selectolax.lexbor import LexborHTMLParser

PAGE = re.compile(r"<!doctype html|<html[\s>]|<body[\s>]", re.IGNORECASE)
FURNITURE = (
    "script,style,noscript,template,nav,header,footer,aside,form,button,select,iframe,svg,head,"
    "[role=navigation],[role=search],[role=banner],[role=contentinfo],.headerlink,.sidebar,.navbar,.breadcrumbs,.toctree-wrapper"
)
MAX_NESTING = 2000  # of a page's elements; a page nested deeper is read by its tags alone

INLINE_MATH = ("m", "tex-math", "inline-formula")
DISPLAY_MATH = ("me", "men", "equation", "disp-formula")
ALIGNED_MATH = ("md", "mdn", "alignmath")
BLOCKS = (
    "address|article|assemblage|blockquote|body|caption|chapter|claim|corollary|dd|definition|div|dl|dt|example|exercise|"
    "exercises|figure|figcaption|h[1-6]|hr|idx|investigation|lemma|li|main|note|ol|p|pre|problem|proof|proposition|"
    "remark|section|solution|statement|subsection|table|tbody|td|th|theorem|title|tr|ul"
)
INLINES = (
    "a|abbr|acronym|article-ref|b|big|br|c|cite|code|col|colgroup|define|del|dfn|em|fn|font|h|i|image|img|init|ins|kbd|"
    "label|mark|mrow|nbsp|ndash|mdash|ie|eg|etc|pubtitle|q|s|samp|small|span|strike|strong|sub|sup|tabular|cell|row|line|"
    "term|thead|tt|u|var|webwork|pg-code|xref|acroref|see|image|description|answer|hint|introduction|conclusion|archetype|"
    "dissected|indexlocation|notation|usage|computation|sageadvice|input|output|sage|technique|acro"
)
# With attributes, or without: `a<b and c>d` is no tag.
ATTRIBUTES = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*\s*/?>"""
BLOCK_TAG = re.compile(rf"</?(?:{BLOCKS}){ATTRIBUTES}", re.IGNORECASE)
INLINE_TAG = re.compile(rf"</?(?:{INLINES}){ATTRIBUTES}", re.IGNORECASE)
MATH_TAG = re.compile(rf"</?({'|'.join(INLINE_MATH + DISPLAY_MATH + ALIGNED_MATH)}){ATTRIBUTES}", re.IGNORECASE)
MATH_ROW_END = re.compile(r"</mrow>(?=\s*<mrow)")
REFERENCE_TAG = re.compile(r"<(?:xref|acroref)\b[^<>]*/>", re.IGNORECASE)
DROPPED = re.compile(
    r"<(script|style|pg-code|idx|index|nav|title)\b[^<>]*>(?:(?!<\1\b).){0,20000}?</\1>", re.DOTALL | re.IGNORECASE
)
COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->|<\?xml[^<>]*\?>", re.DOTALL)
CDATA = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[).)*?)\]\]>", re.DOTALL)
ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,12});")
DISPLAY_ENVIRONMENT = re.compile(r"\$\$\s*(\\begin\{(\w+\*?)\}.*?\\end\{\2\})\s*\$\$", re.DOTALL)


def is_page(text: str) -> bool:
    return "<" in text and bool(PAGE.search(text[:5000]))


def page_text(text: str) -> str:
    """The text of a whole HTML page, blocks parted by blank lines."""
    if _nesting(text) > MAX_NESTING:
        return without_tags(text)
    tree = LexborHTMLParser(text)
    for node in tree.css('script[type^="math/tex"]'):
        mark = "$$" if "display" in (node.attributes.get("type") or "") else "$"
        node.replace_with(f"{mark}{node.text()}{mark}")
    for node in tree.css('annotation[encoding="application/x-tex"]'):
        math = next((up for up in _ancestors(node) if up.tag == "math"), node)
        math.replace_with(f"${node.text().strip()}$")
    for node in tree.css(FURNITURE):
        node.decompose()
    body = tree.body
    return without_tags(body.html or "") if body else ""


def without_tags(text: str) -> str:
    """The text without the tags of HTML, PreTeXt and MathML that it holds; what else stands between < and > stays."""
    if "<" in text:
        text = DROPPED.sub(" ", COMMENT.sub("", text))
        text = CDATA.sub(lambda found: html.escape(found[1]), text)
        text = REFERENCE_TAG.sub("[ref]", MATH_TAG.sub(_formula_mark, MATH_ROW_END.sub(r" \\\\\n", text)))
        text = INLINE_TAG.sub("", BLOCK_TAG.sub("\n\n", text))
    if "&" in text:
        text = ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return DISPLAY_ENVIRONMENT.sub(r"\1", text) if "$$" in text else text


def _formula_mark(tag: re.Match[str]) -> str:
    """What begins or ends a formula in LaTeX, in place of a tag of MATH_TAG."""
    name = tag[1].lower()
    if name in ALIGNED_MATH:
        return "\\end{align*}" if tag[0].startswith("</") else "\\begin{align*}"
    return "$" if name in INLINE_MATH else "$$"


def _nesting(text: str) -> int:
    """An upper bound of how deep elements are nested: the most tags open at once, void ones counted."""
    depth = deepest = 0
    for found in re.finditer(r"<(/?)(?!br|hr|img|meta|link|input|!)[a-zA-Z]", text):
        depth = max(depth + (-1 if found[1] else 1), 0)
        deepest = max(deepest, depth)
    return deepest


def _ancestors(node):  # type: ignore[no-untyped-def]
    while node := node.parent:
        yield node
