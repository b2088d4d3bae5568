r"""What tags say by form: scripts, line breaks, lists, tables, <pre> and signs, as the marks of plain text and Markdown.

with_scripts("10<sup>6</sup>")                                          ->  "10^6"
with_lists("<ol><li>Add.</li><li>Divide.</li></ol>")                    ->  "\n\n\n1. Add.\n2. Divide.\n\n"
with_tables("<table><tr><td>1</td><td>2</td></tr></table>")             ->  "\n\n| 1 | 2 |\n\n"
"""

import html
import re
from collections.abc import Callable

from stages.corpus.quality import CODE_LINE
from stages.corpus.verbatim import Verbatim

BREAK = "\x04"  # begins a line that does not go on with the one before
LINE_BREAK = re.compile(r"(?:[ \t]*</?br\b[^<>]*>[ \t]*\n?[ \t]*)+", re.IGNORECASE)
LINE_END = re.compile(r"</line\s*>\s*")

# PreTeXt's and HTML's signs, empty elements all.
SIGNS = {
    "nbsp": " ", "ndash": "–", "mdash": "—", "minus": "−", "times": "×", "degree": "°", "percent": "%", "ellipsis": "…", "ie": "i.e.",
    "eg": "e.g.", "etc": "etc.", "copyright": "©", "fillin": " ____ ", "implyforward": "(⇒)", "implyreverse": "(⇐)", "latex": "LaTeX",
    "tex": "TeX", "lq": "“", "rq": "”", "lsq": "‘", "rsq": "’", "wbr": "",
}  # fmt: skip
SIGN = re.compile(rf"<({'|'.join(SIGNS)})\b[^<>]*/>|<(wbr)\s*>", re.IGNORECASE)
QUOTATION = re.compile(r"<(/?)(q|sq|fn)>|<(q)\s[^<>]*>", re.IGNORECASE)
QUOTATION_MARKS = {"q": '"', "/q": '"', "sq": "'", "/sq": "'", "fn": " (", "/fn": ")"}

SCRIPT = re.compile(r"<(su[bp])\b[^<>]*>((?:(?!</?su[bp]\b)[^<>])*)</\1\s*>", re.IGNORECASE)
NOTE_LINK = re.compile(
    r"<sup\b[^<>]*>\s*<a\b[^<>]*href\s*=\s*[\"']?[^\"'<>]*#[^<>]*>\[?([^<>]{1,12}?)\]?</a>\s*</sup>", re.IGNORECASE
)
NO_SCRIPT = re.compile(r"\[.*\]|st|nd|rd|th|TM|SM|[®™*†‡°]", re.IGNORECASE)
WORDS = re.compile(r"[^\W\d]{2,}\W+[^\W\d]{2,}")
MAX_SCRIPT_NESTING = 8

LIST_TAG = re.compile(
    r"<(?P<end>/?)(?P<list>ol|ul|menu)\b(?P<attributes>[^<>]*)>|"
    r"<li\b(?P<item>[^<>]*)>\s*(?:<(?:p|div|statement|section)\b[^<>]*>\s*)*(?P<empty></li\s*>)?|</li\s*>",
    re.IGNORECASE,
)
NUMBER = re.compile(r"\b(?:start|value)\s*=\s*[\"']?(\d{1,6})")
LETTERS = re.compile(r"\b(?:type|marker)\s*=\s*[\"']?\(?([aA])\b")

TABLE = re.compile(r"<(table|tabular)\b[^<>]*>((?:(?!<(?:table|tabular)\b).)*?)</\1\s*>", re.DOTALL | re.IGNORECASE)
ROW = re.compile(r"<(?:tr|row)\b[^<>]*>", re.IGNORECASE)
ROW_END = re.compile(r"</(?:tr|row|tbody|thead|tfoot)\b.*", re.DOTALL | re.IGNORECASE)
CELL = re.compile(r"<(?:td|th|cell)\b[^<>]*?(/?)>", re.IGNORECASE)
CELL_END = re.compile(r"</(?:td|th|cell)\b.*", re.DOTALL | re.IGNORECASE)
IN_CELL = re.compile(r"</?(?:p|line|br)\b[^<>]*>|\s+", re.IGNORECASE)
NOT_IN_CELL = re.compile(r"<(?:div|ul|ol|dl|li|h[1-6]|blockquote|section|pre|table|tabular)\b|\x03", re.IGNORECASE)
MAX_CELL_CHARS = 300
MAX_TABLE_NESTING = 6

PRE = re.compile(
    r"<(pre|program|console|input|output)\b(?P<attributes>[^<>]*)>(?P<code>(?:(?!<\1\b).)*?)</\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
TAG_IN_PRE = re.compile(
    r"</?(?:code|span|a|b|i|em|strong|kbd|samp|var|u|s|mark|font|tt|div|cline)(?:\s[^<>]*)?>", re.IGNORECASE
)
CDATA = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[).)*?)\]\]>", re.DOTALL)


def with_code(text: str, code: Verbatim) -> str:
    """The text with the content of <pre> set aside; what looks like code stands between fences."""

    def place(found: re.Match[str]) -> str:
        content = CDATA.sub(lambda inner: html.escape(inner[1]), LINE_BREAK.sub("\n", found["code"]))
        plain = html.unescape(with_scripts(TAG_IN_PRE.sub("", content))).strip("\n").rstrip()
        if not plain:
            return "\n\n"
        lines = plain.split("\n")
        is_code = (
            found[1].lower() != "pre" or "<code" in content or "class" in found["attributes"]
            or 2 * sum(CODE_LINE.match(line) is not None for line in lines) >= len(lines)
        )  # fmt: skip
        return f"\n\n{code.fenced(plain) if is_code else code.block(plain)}\n\n"

    return PRE.sub(place, text)


def with_signs(text: str) -> str:
    """The text with the signs and words that empty elements stand for, quotation marks, and footnotes in parentheses."""
    text = SIGN.sub(lambda found: SIGNS[(found[1] or found[2]).lower()], text)
    return QUOTATION.sub(lambda found: QUOTATION_MARKS[f"{found[1] or ''}{found[2] or found[3]}".lower()], text)


def with_breaks(text: str) -> str:
    """The text with a line of its own after each <br>, a paragraph after two."""
    text = LINE_BREAK.sub(lambda found: "\n\n" if found[0].count("<") > 1 else f"\n{BREAK}", text)
    return LINE_END.sub(f"\n{BREAK}", text)


def with_scripts(text: str) -> str:
    """The text with ^ and _ for <sup> and <sub>; ordinals (1st), marks of notes and small print get none."""
    for _ in range(MAX_SCRIPT_NESTING):
        text, count = SCRIPT.subn(_script, text)
        if not count:
            break
    return text


def _script(found: re.Match[str]) -> str:
    content = found[2].strip()
    plain = html.unescape(content)
    before = found.string[max(0, found.start() - 1) : found.start()]
    if not content or NO_SCRIPT.fullmatch(plain) or (WORDS.search(plain) and (not before.strip() or before in ">.,;:")):
        return content
    sign = "^" if found[1].lower() == "sup" else "_"
    return f"{sign}{content}" if len(plain) == 1 else f"{sign}{{{content}}}"


def with_lists(text: str) -> str:
    """The text with "- " or the item's number before each <li>."""
    numbers: list[Callable[[str], str]] = []
    parts: list[str] = []
    position = 0
    for found in LIST_TAG.finditer(text):
        before, position = text[position : found.start()], found.end()
        if found["list"]:
            parts += [before, "\n\n"]
            if found["end"]:
                del numbers[-1:]
            else:
                numbers.append(_numbering(found["list"].lower(), found["attributes"]))
        elif found["item"] is None or found["empty"]:
            parts.append(before)
        else:
            parts += [before.rstrip(), f"\n{numbers[-1](found['item']) if numbers else '-'} "]
    return "".join([*parts, text[position:]])


def _numbering(name: str, attributes: str) -> Callable[[str], str]:
    """What gives each item of a list its mark, from the item's attributes."""
    if name != "ol":
        return lambda item: "-"
    start = NUMBER.search(attributes)
    letter = LETTERS.search(attributes)
    number = int(start[1]) - 1 if start else 0

    def next_mark(item: str) -> str:
        nonlocal number
        value = NUMBER.search(item)
        number = int(value[1]) if value else number + 1
        return f"({chr(ord(letter[1]) + number - 1)})" if letter and number <= 26 else f"{number}."

    return next_mark


def with_tables(text: str) -> str:
    """The text with a line "| a | b |" for each row; a table that only lays out a page keeps its blocks."""
    for _ in range(MAX_TABLE_NESTING):
        text, count = TABLE.subn(_table, text)
        if not count:
            break
    return text


def _table(found: re.Match[str]) -> str:
    head, *rows = ROW.split(found[2])
    cells = [_cells(ROW_END.sub("", row)) for row in rows]
    is_data = max(map(len, cells), default=0) > 1 and not any(
        NOT_IN_CELL.search(cell) or len(cell) > MAX_CELL_CHARS for row in cells for cell in row
    )
    if not is_data:
        return f"\n\n{found[2]}\n\n"
    lines = [f"| {' | '.join(row)} |" for row in cells if any(row)]
    return "\n\n".join(["", head, "\n".join(lines), ""])


def _cells(row: str) -> list[str]:
    """The row's cells, without line ends and paragraphs."""
    parts = CELL.split(row)[1:]
    contents = (
        "" if closed else CELL_END.sub("", content) for closed, content in zip(parts[::2], parts[1::2], strict=True)
    )
    return [IN_CELL.sub(" ", content).strip() for content in contents]
