r"""The title that a text states: a page's <title>, a note's first heading, LaTeX's \title.

    stated_title("# Roots\n\nLet $x$ ...", ".md")  ->  "Roots"
    stated_url("<head><link rel='canonical' href='https://a.org/roots'></head> ...")  ->  "https://a.org/roots"

Only what the format marks as a title counts, so plain text has none.
"""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser

from stages.corpus.cleaning import clean
from stages.corpus.latex import without_comments
from stages.corpus.markdown import FRONT_MATTER

HEAD_CHARS = 50_000  # in which a title stands
MAX_TITLE_CHARS = 300
PAGE = (".html", ".htm", ".xhtml")
MARKDOWN = (".md", ".markdown")
PAGE_TITLES = ("head title", "h1", "h2")  # a picture has a <title>, too, in the body
EMPTY_TITLE = re.compile(r"<title\s*/>", re.IGNORECASE)  # of XHTML, which HTML takes for one that never ends
FIELD = re.compile(r"^title[ \t]*:[ \t]*([^\s>|\[{&!*].*)$", re.MULTILINE | re.IGNORECASE)
FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]+(\S.*)|^(?![-=*+#>|<] |[ \t])(\S.*)\n(?:=+|-{3,})[ \t]*$", re.MULTILINE)
CLOSING = re.compile(r"(?:[ \t]+#+)?(?:[ \t]*\{[#.][^{}]*\})?[ \t]*\Z")  # of a heading: ###, {#anchor}
EMPHASIS = re.compile(r"(\*\*|__|`)(\S|\S.*?\S)\1")
UNDERLINED = re.compile(r"^(\S.*)\n([=\-~^\"'*+#`:.])\2{2,}[ \t]*$", re.MULTILINE)
BRACED = r"(?:\[[^\[\]]*\])?\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
LATEX_TITLES = [re.compile(rf"\\{name}\*?{BRACED}") for name in ("title", "chapter", "section")]
LATEX_MARK = re.compile(
    r"\\(?:thanks|footnote)\{[^{}]*\}|\\\\(?:\[[^\[\]]*\])?|\\(?:tiny|small|normalsize|[lL]arge|LARGE|[hH]uge|bfseries|itshape)(?![a-zA-Z])|~"
)


def stated_title(text: str, suffix: str) -> str:
    """The title of a document whose file has this suffix (lower case, with its point); empty if it states none."""
    plain = (_plain(title) for title in _titles(text[:HEAD_CHARS], suffix))
    return next((title for title in plain if title), "")[:MAX_TITLE_CHARS]


def stated_url(page: str) -> str:
    """The address that a page of HTML calls its own; empty if it names none."""
    for link in LexborHTMLParser(page[:HEAD_CHARS]).css("link[rel][href]"):
        address = (link.attributes["href"] or "").strip()
        if "canonical" in (link.attributes["rel"] or "").lower().split() and _is_address(address):
            return address
    return ""


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://")) and text.isprintable() and " " not in text


def _titles(head: str, suffix: str) -> Iterator[str]:
    """What may be the title, the likeliest first."""
    if suffix in PAGE:
        yield from _of_page(head)
    elif suffix in MARKDOWN:
        yield from _of_markdown(head)
    elif suffix == ".tex":
        source = without_comments(head)
        yield from (LATEX_MARK.sub(" ", found[1]) for title in LATEX_TITLES for found in title.finditer(source))
    elif suffix == ".rst":
        yield from (found[1] for found in UNDERLINED.finditer(head))


def _of_page(head: str) -> Iterator[str]:
    tree = LexborHTMLParser(EMPTY_TITLE.sub("", head))
    yield from (found.html or "" for name in PAGE_TITLES if (found := tree.css_first(name)))


def _of_markdown(head: str) -> Iterator[str]:
    if fields := FRONT_MATTER.match(head):
        yield from (found[1].strip().strip("\"'") for found in FIELD.finditer(fields[1]))
        head = head[fields.end() :]
    for found in HEADING.finditer(FENCED.sub("", head)):
        title = (found[1] or found[2])[:MAX_TITLE_CHARS]
        yield EMPHASIS.sub(r"\2", CLOSING.sub("", title))
    yield from _of_page(head)


def _plain(title: str) -> str:
    """A title as it reads, in one line, cleaned as the text is."""
    line = " ".join(clean(title[: 4 * MAX_TITLE_CHARS]).split())
    return "".join(sign for sign in line if sign.isprintable() or sign in "\u200c\u200d")
