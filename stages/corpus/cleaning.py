r"""Cleaning a document: what is not text goes out, formulas and paragraphs stay.

    clean("---\ntitle: x\n---\n<p>Add  3 and $x$.</p>")  ->  "Add 3 and $x$."

The order: Unicode (NFC, control characters), HTML, LaTeX (preamble, comments, labels), Markdown's and the textbooks' own
marks, boilerplate lines, white space. Nothing is judged here: see `stages/corpus/quality.py`.
"""

import re
import unicodedata

from stages.corpus.html import is_page, page_text, without_tags

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]")
FRONT_MATTER = re.compile(r"\A\s*---\s*\n.*?\n(?:---|\.\.\.)\s*\n", re.DOTALL)

DOCUMENT_BEGIN, DOCUMENT_END = "\\begin{document}", "\\end{document}"
LATEX_COMMENT = re.compile(r"%(?<!\\%).*")
LATEX_DROPPED_ENVIRONMENT = re.compile(
    r"\\begin\{(thebibliography|comment|tikzpicture|filecontents|abstract\*|CCSXML)\}(?:(?!\\begin\{\1\}).)*?\\end\{\1\}",
    re.DOTALL,
)
# Commands that print nothing a reader needs, with their arguments: labels, citations, index, links to formal proofs.
LATEX_DROPPED = re.compile(
    r"\\(?:label|cite[a-z]*|nocite|index|indexdef|indexsee|lean|code|derived|uses|proves|leanok|mathlibok|notready|discussion|vspace|hspace|"
    r"includegraphics|bibliography|bibliographystyle|usetoken|usepackage|documentclass|newcommand|renewcommand|input|include|"
    r"PMlinkescapeword|PMlinkescapephrase|pagestyle|thispagestyle|setlength|setcounter|addcontentsline|ollabel|olfileid)"
    r"(?![a-zA-Z])\*?(?:\[[^\[\]]*\])?(?:\{(?:[^{}]|\{[^{}]*\})*\}){0,3}"
)
LATEX_REFERENCE = re.compile(
    r"\\(?:ref|eqref|pageref|cref|Cref|autoref|vref|olref|nameref)\*?(?:\[[^\[\]]*\])*\{[^{}]*\}"
)
REFERENCE = "[ref]"
GONE = "\x00"  # where something was taken out, so that a line that held nothing else goes with it
GONE_LINE = re.compile(rf"\n[ \t]*(?:{GONE}[ \t]*)+(?=\n|\Z)")
LATEX_SPACING = re.compile(
    r"\\(?:noindent|medskip|smallskip|bigskip|newpage|clearpage|maketitle|tableofcontents|par|centering|hfill|vfill|qedhere|"
    r"leanok|mathlibok)(?![a-zA-Z])"
)
LATEX_STYLE = re.compile(
    r"\\(?:emph|textbf|textit|textsl|textrm|texttt|textsc|underline|PMlinkname|PMlinkid|PMlinkescapetext|htmladdnormallink|"
    r"olsection)\{([^{}]*)\}"
    r"|\{\\(?:em|bf|it|sl|tt|rm|sc)(?![a-zA-Z])\s*([^{}]*)\}|\\(?:href|texorpdfstring)\{[^{}]*\}\{([^{}]*)\}"
)
LATEX_HEADING = re.compile(
    r"\\(?:part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?(?:\[[^\[\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}"
)

# Marks of MyST, Sphinx, d2l and kramdown, one a line or in line.
DIRECTIVE_MARKS = ("\n:", "\n :", "{:", ")=", "{%", "[comment]:", "%%tab", "#@tab", "```{")
DIRECTIVE_LINE = re.compile(
    r"^\s*(?::(?:label|begin_tab|end_tab|width|height|align|class|name|alt)\b.*|\{:.*\}|:{3,}.*|\(\w[\w-]*\)=|\{% .* %\}|"
    r"\[comment\]:.*|%%tab.*|#@tab.*|```\{?(?:contents|toctree|tableofcontents|index|raw|bibliography)\b.*)\s*$",
    re.MULTILINE,
)
INLINE_ROLE = re.compile(
    r"\{(?:doc|term|ref|numref)\}`([^`<]*?)\s*<[^`>]*>`|\{(?:doc|ref|eq|numref|cite[a-z:]*|term|index)\}`[^`]*`|"
    r":(?:numref|eqref|cite[a-z]*|label):`[^`]*`"
)
MYST_MATH = re.compile(r"```\{math\}\s*\n(?:\s*:[a-z]+:[^\n]*\n)*((?:(?!```).)*)```", re.DOTALL)
MARKDOWN_IMAGE = re.compile(r"!\[[^\]]*\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
MARKDOWN_LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\((?:https?://|\.{0,2}/|[\w./-]+\.(?:md|html|ipynb))[^()\s]*\)")

# Lines of web pages that are about the page: whole lines only, so a sentence with such words stays.
BOILERPLATE = re.compile(
    r"[\W_]*(?:next(?: page| section| chapter)?|prev(?:ious)?(?: page| section| chapter)?|back(?: to top)?|home|up|menu|search|"
    r"(?:table of )?contents|skip to (?:main )?content|view page source|edit (?:this page|on github)|show source|"
    r"navigation|(?:subscribe|sign (?:in|up)|log ?in|register|share|tweet|print|reply|read more|load more|permalink)\b.{0,30}|"
    r"(?:©|copyright|\(c\))\s.{0,120}|all rights reserved.{0,40}|(?:powered|built) (?:by|with)\b.{0,80}|"
    r"last (?:updated?|modified|edited)\b.{0,60}|(?:privacy|cookie)s? policy.{0,40}|terms (?:of (?:use|service)|and conditions).{0,40}|"
    r"posted (?:by|on)\b.{0,60}|\d+ (?:comments?|replies|views|votes?|likes?))[\W_]*",
    re.IGNORECASE,
)
MAX_BOILERPLATE_CHARS = 160
KEPT_LINE = re.compile(
    r"\s*(?:[-*+•] |\d{1,3}[.)] |\(\w{1,3}\) |\||```|\\item|[A-E]\)|Answer:|Question:|Options:|Rationale:|Correct:)"
)


def clean(text: str) -> str:
    """The document's text in paragraphs parted by a blank line; lists, tables and code keep their lines."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = CONTROL.sub("", FRONT_MATTER.sub("", text))
    if "<" in text or "&" in text:
        text = page_text(text) if is_page(text) else without_tags(text)
    if "\\" in text:
        text = clean_latex(text)
    return join_lines(clean_markdown(text))


def clean_latex(text: str) -> str:
    is_document = DOCUMENT_BEGIN in text
    if is_document:
        text = text.split(DOCUMENT_BEGIN, 1)[1].split(DOCUMENT_END, 1)[0]
    if is_document or "\\begin{" in text or "\\section" in text or "\\label" in text:
        text = LATEX_DROPPED_ENVIRONMENT.sub("", LATEX_COMMENT.sub(GONE, text))
    text = LATEX_SPACING.sub(" ", LATEX_DROPPED.sub(GONE, LATEX_REFERENCE.sub(REFERENCE, text)))
    text = GONE_LINE.sub("", text).replace(f"~{GONE}", "").replace(f" {GONE}", "").replace(GONE, "")
    for _ in range(2):  # one style within another
        text = LATEX_STYLE.sub(lambda found: found[1] or found[2] or found[3] or "", text)
    return LATEX_HEADING.sub(r"\n\n\1\n\n", text)


def clean_markdown(text: str) -> str:
    if "](" in text:
        text = MARKDOWN_LINK.sub(r"\1", MARKDOWN_IMAGE.sub("", text))
    if "`" in text:
        text = INLINE_ROLE.sub(
            lambda found: found[1] or "", MYST_MATH.sub(lambda found: f"$${found[1].strip()}$$", text)
        )
    if any(mark in text for mark in DIRECTIVE_MARKS):
        text = DIRECTIVE_LINE.sub("", text)
    return text


def join_lines(text: str) -> str:
    """One line a paragraph, with single spaces; items of lists, rows of tables and fenced code keep their own lines.

    Boilerplate lines go out.
    """
    paragraphs: list[str] = []
    lines: list[str] = []
    in_fence = False
    for line in text.split("\n"):
        is_fence = line.lstrip().startswith("```")
        if in_fence and not is_fence:
            lines.append(line.rstrip())
            continue
        stripped = " ".join(line.split())
        if len(stripped) <= MAX_BOILERPLATE_CHARS and BOILERPLATE.fullmatch(stripped):
            continue
        if not stripped:
            if lines:
                paragraphs.append("\n".join(lines))
            lines = []
        elif lines and not is_fence and not KEPT_LINE.match(line) and not lines[-1].startswith("```"):
            lines[-1] = f"{lines[-1]} {stripped}"
        else:
            lines.append(stripped)
        in_fence ^= is_fence
    if lines:
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)
