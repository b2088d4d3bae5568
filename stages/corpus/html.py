"""HTML and XML to text: whole pages through a parser, remnants in other text by known tags alone.

    page_text("<html>...<nav>Home</nav><p>Let <m>x</m> be 3.</p></html>").strip()  ->  "Let $x$ be 3."
    without_tags("If a<b then <b>stop</b> at 10<sup>6</sup>.")                     ->  "If a<b then stop at 10^6."

What surrounds a page's text (navigation, headers, footers, scripts) is dropped with what it holds. What tags say by
their form stays: `stages/corpus/html_layout.py`, and for formulas `stages/corpus/html_formulas.py`. PreTeXt's <m>, <me>,
<md> become $...$ and $$...$$.
"""

import html
import re
import unicodedata
from html.entities import html5

from selectolax.lexbor import LexborHTMLParser, LexborNode

from stages.corpus.characters import plain_characters
from stages.corpus.html_formulas import with_sources
from stages.corpus.html_layout import (
    CDATA,
    NOTE_LINK,
    SIGNS,
    with_breaks,
    with_code,
    with_lists,
    with_scripts,
    with_signs,
    with_tables,
)
from stages.corpus.verbatim import Verbatim

PAGE = re.compile(r"<!doctype html|<html[\s>]|<body[\s>]", re.IGNORECASE)
FURNITURE = (
    'script:not([type^="math/"]),style,noscript,template,nav,header,footer,aside,form,button,select,iframe,svg,head,'
    "[role=navigation],[role=search],[role=banner],[role=contentinfo],.headerlink,.sidebar,.navbar,.breadcrumbs,.toctree-wrapper,"
    ".linenos,.mw-editsection,.navbox,#toc,.printfooter,#catlinks"
)
NOTES = ("footnote", "topic", "admonition", "note")  # classes of an <aside> that is part of the text
MAX_FORM_CHARS = 300  # a longer form is a page, or a quiz
MAX_NESTING = 2000  # of a page's elements; a page nested deeper is read by its tags alone

INLINE_MATH = ("m", "tex-math", "inline-formula")
DISPLAY_MATH = ("me", "men", "equation", "disp-formula")
ALIGNED_MATH = ("md", "mdn", "alignmath")
BLOCKS = (
    "address|answer|article|aside|assemblage|blockquote|body|caption|center|chapter|claim|conclusion|corollary|dd|definition|details|div|dl|dt|example|"
    "exercise|exercisegroup|exercises|fieldset|figure|footer|form|figcaption|h1|h2|h3|h4|h5|h6|header|hint|hgroup|hr|html|idx|introduction|investigation|legend|lemma|li|main|menu|nav|note|"
    "objectives|ol|optgroup|option|p|paragraphs|pre|problem|proof|proposition|remark|section|solution|statement|subsection|summary|table|task|tbody|td|"
    "tfoot|th|thead|theorem|title|tr|ul|worksheet"
)
INLINES = (
    "a|abbr|acronym|article-ref|b|bdi|bdo|big|br|button|c|cite|code|col|colgroup|define|del|dfn|em|fn|font|h|i|image|img|init|ins|kbd|"
    "label|mark|mrow|nbsp|nobr|pubtitle|q|rp|rt|ruby|s|samp|small|span|strike|strong|sub|sup|tabular|cell|row|line|"
    "term|tt|u|var|webwork|pg-code|xref|acroref|see|description|archetype|"
    "dissected|indexlocation|notation|usage|computation|sageadvice|input|output|sage|technique|acro"
)
# With attributes, or without: `a<b and c>d` is no tag.
ATTRIBUTES = r"""(?:\s+(?:[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)|(?:checked|compact|disabled|hidden|nowrap|open|reversed|selected)\b))*\s*/?>"""
NAME = re.compile(r"<(/?[a-zA-Z][\w-]*)")
TAG = re.compile(rf"</?(?!su[bp]\b)([a-zA-Z][\w-]*){ATTRIBUTES}")
IN_PLACE = {
    **dict.fromkeys(INLINES.split("|"), ""),
    **dict.fromkeys(BLOCKS.split("|"), "\n\n"),
}  # of a tag of this name
SCRIPT_TAG = re.compile(rf"</?su[bp]{ATTRIBUTES}", re.IGNORECASE)
# A letter between signs of comparison, when no such element ends in the text: a<b>c.
COMPARED = re.compile(r"(?<=[\w)])<([abchimpqsu])>(?=[\w(])")
MATH_TAG = re.compile(rf"</?({'|'.join(INLINE_MATH + DISPLAY_MATH + ALIGNED_MATH)}){ATTRIBUTES}", re.IGNORECASE)
MATH_ROW_END = re.compile(r"</mrow>(?=\s*<mrow)")
REFERENCE_TAG = re.compile(r"<(?:xref|acroref)\b[^<>]*/>", re.IGNORECASE)
DROPPED = re.compile(
    r"<(script|style|pg-code|idx|index|nav|head|svg|noscript|template)\b[^<>]*>(?:(?!<\1\b).){0,20000}?</\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
DROPPED_NAMES = frozenset("script style pg-code idx index nav head svg noscript template".split())
MATH_NAMES = frozenset(INLINE_MATH + DISPLAY_MATH + ALIGNED_MATH)
SIGN_NAMES = frozenset({*SIGNS, "q", "sq", "fn"})
COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->|<\?xml[^<>]*\?>|<!doctype[^<>]*>", re.DOTALL | re.IGNORECASE)
ENTITY = re.compile(r"&(?:amp;)?(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
DISPLAY_ENVIRONMENT = re.compile(r"\$\$\s*(\\begin\{(\w+\*?)\}.*?\\end\{\2\})\s*\$\$", re.DOTALL)


def is_page(text: str) -> bool:
    """Whether the text is a page of HTML, not one that tells of it."""
    return text.lstrip()[:1] == "<" and PAGE.search(text[:5000]) is not None


def page_text(text: str, code: Verbatim | None = None) -> str:
    """The text of a whole HTML page, blocks parted by blank lines; the content of <pre> is set aside in `code`, if given."""
    if _nesting(text) > MAX_NESTING:
        return without_tags(text, code)
    tree = LexborHTMLParser(text)
    drop_furniture(tree)
    body = tree.body
    return without_tags(plain_characters(body.html or ""), code) if body else ""


def without_tags(text: str, code: Verbatim | None = None) -> str:
    """The text without the tags of HTML, PreTeXt and MathML that it holds; what else stands between < and > stays.

    The content of <pre> is set aside in `code`, if given.
    """
    if code is None:
        code = Verbatim()
        return code.back(without_tags(text, code))
    if "<" in text:
        text = _without_markup(text, code)
    if "&" in text:
        text = unicodedata.normalize("NFC", ENTITY.sub(_character, text))
    return DISPLAY_ENVIRONMENT.sub(r"\1", text) if "$$" in text else text


def _without_markup(text: str, code: Verbatim) -> str:
    if "<!" in text or "<?" in text:
        text = COMMENT.sub("", text)
    names = {name.lower() for name in NAME.findall(text)}
    text = with_sources(text)
    if names & DROPPED_NAMES:
        text = DROPPED.sub(" ", text)
    text = _laid_out(text, names, code)
    if "<![CDATA[" in text:
        text = CDATA.sub(lambda found: html.escape(found[1]), text)
    if names & MATH_NAMES:
        text = MATH_TAG.sub(_formula_mark, MATH_ROW_END.sub(r" \\\\\n", text))
    if names & {"xref", "acroref"}:
        text = REFERENCE_TAG.sub("[ref]", text)
    if any(name in names and f"/{name}" not in names for name in "abchimpqsu"):
        text = COMPARED.sub(lambda found: found[0] if f"/{found[1]}" in names else f"&lt;{found[1]}&gt;", text)
    text = TAG.sub(lambda found: IN_PLACE.get(found[1].lower(), found[0]), text)
    return SCRIPT_TAG.sub("", with_scripts(text)) if names & {"sup", "sub"} else text


def _laid_out(text: str, names: set[str], code: Verbatim) -> str:
    """The text with Markdown's marks for what its tags lay out, where it has such tags."""
    if names & {"pre", "program", "console", "/input", "/output"}:
        text = with_code(text, code)
    if "sup" in names:
        text = NOTE_LINK.sub(r"[\1]", text)
    if names & SIGN_NAMES:
        text = with_signs(text)
    if names & {"table", "tabular"}:
        text = with_tables(text)
    if "li" in names:
        text = with_lists(text)
    return with_breaks(text) if names & {"br", "/br", "/line"} else text


def drop_furniture(tree: LexborHTMLParser) -> None:
    """Take out what surrounds the page's text, never what holds its main part."""
    doomed = {node.mem_id: node for node in tree.css(FURNITURE) if _is_furniture(node)}
    for node in [node for node in doomed.values() if not any(up.mem_id in doomed for up in _ancestors(node))]:
        node.decompose()


def _is_furniture(node: LexborNode) -> bool:
    if node.tag in ("html", "body", "main", "article") or node.css_first("main,article"):
        return False
    if node.tag == "form":
        is_entry = node.css_first("input[type=search],input[type=password],input[type=email],textarea") is not None
        return (is_entry or not node.css_first("p,li,label,td")) and len(node.text()) < MAX_FORM_CHARS
    if node.tag in ("header", "aside"):
        is_note = any(name in (node.attributes.get("class") or "") for name in NOTES)
        is_part = any(up.tag in ("main", "article") for up in _ancestors(node))
        return not is_note and not (is_part and (node.tag == "aside" or node.css_first("h1,h2,h3") is not None))
    return True


def _formula_mark(tag: re.Match[str]) -> str:
    """What begins or ends a formula in LaTeX, in place of a tag of MATH_TAG."""
    name = tag[1].lower()
    if name in ALIGNED_MATH:
        return "\\end{align*}" if tag[0].startswith("</") else "\\begin{align*}"
    return "$" if name in INLINE_MATH else "$$"


def _character(entity: re.Match[str]) -> str:
    """What an entity stands for, also one escaped twice; what is none stays, as `&parent;` in a program."""
    name = entity[1]
    if name[0] != "#":
        return plain_characters(html5.get(f"{name};", entity[0])).replace("\u00a0", " ")
    return plain_characters(html.unescape(f"&{name};"))


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
