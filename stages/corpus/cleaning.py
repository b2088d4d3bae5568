r"""Cleaning a document: what is not text goes out, formulas, numbers, code and paragraphs stay.

    clean("---\ntitle: x\n---\n<p>Add  3 and $x^2$.</p>")  ->  "Add 3 and $x^2$."

The order: characters, front matter; then, with code set aside, HTML, LaTeX, Markdown, boilerplate lines and white space,
each in its module. Only what carries nothing goes out. Nothing is judged here: see `stages/corpus/quality.py`.
"""

import re

from stages.corpus.boilerplate import without_boilerplate
from stages.corpus.characters import plain_characters
from stages.corpus.html import is_page, page_text, without_tags
from stages.corpus.html_layout import BREAK
from stages.corpus.latex import clean_latex
from stages.corpus.markdown import clean_markdown, without_front_matter
from stages.corpus.verbatim import BLOCK, Verbatim

PARAGRAPH_END = re.compile(r"\n\s*\n")
# Lines that begin anew: items, rows of tables, options of questions, code, headings.
KEPT_LINE = re.compile(
    rf"[-*+•] |\d{{1,3}}[.)] |\(\w{{1,3}}\) |\||{BLOCK}|#{{1,6}} |\\item|[A-E]\)|Answer:|Question:|Options:|Rationale:|Correct:"
)
WHOLE_LINE = re.compile(rf"{BLOCK}|#{{1,6}} ")  # after which the next line begins anew, too
WHOLE_LINE_SIGNS = f"{BLOCK}#"


def clean(text: str) -> str:
    """The document's text in paragraphs parted by a blank line; lists, tables and code keep their lines."""
    text = without_front_matter(plain_characters(text))
    code = Verbatim()
    if is_page(text):
        text = page_text(text, code)
    else:
        text = code.aside(text)
        if "<" in text or "&" in text:
            text = without_tags(text, code)
    if "\\" in text:
        text = clean_latex(text)
    return code.back(join_lines(clean_markdown(text)))


def join_lines(text: str) -> str:
    """One line a paragraph, with single spaces; items, rows and code keep their own lines. Boilerplate lines go out."""
    return "\n\n".join(filter(None, map(_joined, PARAGRAPH_END.split(text.strip()))))


def _joined(paragraph: str) -> str:
    lines: list[str] = []
    begins = True
    for line in without_boilerplate([" ".join(line.split()) for line in paragraph.split("\n")]):
        if line[:1] == BREAK:
            line, begins = line[1:].lstrip(), True
        if not line:
            continue
        if begins or KEPT_LINE.match(line):
            lines.append(line)
        else:
            lines[-1] = f"{lines[-1]} {line}"
        begins = line[0] in WHOLE_LINE_SIGNS and WHOLE_LINE.match(line) is not None
    return "\n".join(lines)
