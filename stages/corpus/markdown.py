r"""Markdown and the marks that textbooks add to it (MyST, Sphinx, d2l, kramdown): links become their words.

    clean_markdown("See [the rule](https://x.y/z), {eq}`a` and ![a picture](b.png).")  ->  "See the rule, [ref] and ."

Images go out, but those that show a formula become the formula. Code is set aside before (`stages/corpus/verbatim.py`).
"""

import re

from stages.corpus.addresses import formula_of_address, is_delimited

FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# Front matter has one of the fields that site generators know; a text between two rules has none.
KNOWN_FIELD = re.compile(
    r"^(?:title|layout|date|authors?|tags?|categor(?:y|ies)|description|permalink|jupytext|kernelspec|jupyter|slug|draft|id|"
    r"sidebar\w*|nav\w*|parent|weight|keywords|summary|lang|output|bibliography|toc|published|subtitle|abstract|mathjax|math|"
    r"e_maxx_link|html_meta|myst|template|image|url|aliases|excerpt)[ \t]*:",
    re.MULTILINE | re.IGNORECASE,
)
FIELD_LINE = re.compile(r"(?:[\w.\"'-]+[ \t]*:(?:[ \t].*)?|[ \t]+.*|-(?:[ \t].*)?|#.*|[\]}].*|)")

DIRECTIVE_MARKS = ("\n:", "\n :", "{:", ")=", "{%", "[comment]:", "%%tab", "#@tab", "```")
DIRECTIVE_LINE = re.compile(
    r"^[ \t]*(?::(?:label|begin_tab|end_tab|width|height|align|class|name|alt|nonumber|tags|number)\b.*|\{:.*\}|:{3,}.*|\(\w[\w-]+\)=|\{%-?(?:(?!%\}).)*%\}|"
    r"\[comment\]:.*|%%tab.*|#@tab.*|```\{?(?:contents|toctree|tableofcontents|index|raw|bibliography)\b.*)[ \t]*$",
    re.MULTILINE,
)
LIQUID_FORMULA = re.compile(r"\{%-? *katex\b[^%]*%\}((?:(?!\{%).)*)\{%-? *endkatex *-?%\}", re.DOTALL)
LIQUID_PART = re.compile(r"\{%-? *(?:end)?raw *-?%\}")  # what it holds is text
ROLE = re.compile(
    r"(?<![\w^])\{(?:doc|ref|numref|eq|term|index)\}`([^`<]+?)\s*<[^`>]*>`|(?<![\w^])\{(?:term|index|abbr|dfn|sub-ref|kbd|command|file)\}`([^`]*)`|"
    r"(?:(?<![\w^])\{(?:doc|ref|eq|numref|prf:ref)\}|:(?:numref|eqref):)(`)[^`]*`| ?(?:\{cite[a-z:]*\}|:(?:cite[a-z]*|label):)`[^`]*`"
)
IMAGE = re.compile(r"!\[([^\[\]]*)\]\(((?:[^()\s]|\([^()\s]*\))*)(?:\s+\"[^\"]*\")?\)")
LINK = re.compile(
    r"\[(?<!!\[)([^\[\]]+)\]\((?:https?://|\.{0,2}/|[\w./-]+\.(?:md|html|ipynb))(?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"\n]*\")?\)"
)


def without_front_matter(text: str) -> str:
    """The text without the fields of a site generator at its head; a text between two rules stays."""
    if not (found := FRONT_MATTER.match(text)):
        return text
    lines = found[1].split("\n")
    is_fields = KNOWN_FIELD.search(found[1]) is not None and all(FIELD_LINE.fullmatch(line) for line in lines)
    return text[found.end() :] if is_fields else text


def clean_markdown(text: str) -> str:
    if "](" in text:
        text = LINK.sub(r"\1", IMAGE.sub(_image, text))
    if "}`" in text or ":`" in text:
        text = ROLE.sub(_role, text)
    if "{%" in text:
        text = LIQUID_PART.sub("", LIQUID_FORMULA.sub(r"$\1$", text))
    if any(mark in text for mark in DIRECTIVE_MARKS):
        text = DIRECTIVE_LINE.sub("", text)
    return text


def _image(found: re.Match[str]) -> str:
    formula = formula_of_address(found[2])
    return f"${formula}$" if formula else found[1].strip() if is_delimited(found[1]) else ""


def _role(found: re.Match[str]) -> str:
    return found[1] or found[2] or ("[ref]" if found[3] else "")
