r"""Code and other verbatim text, set aside while the rest of a document is cleaned and put back as it stood.

    code = Verbatim()
    text = code.aside("Use `a % b`:\n```\nif a<b: pass\n```")     # no rule of HTML, LaTeX or Markdown sees the code
    code.back(text)                                               # "Use `a % b`:\n```\nif a<b: pass\n```"

What is code: Markdown's fences, blocks indented by four blanks, and code spans; LaTeX's verbatim, lstlisting, minted and
\verb; HTML's <pre> (`stages/corpus/html.py`). A fence that is a directive of MyST with text for readers becomes that
text, one of mathematics a formula.
"""

import re
import textwrap

from stages.corpus.quality import CODE_LINE

# The place of a part: a mark, its number, LAST. A block is a paragraph's whole lines, a span is within one.
BLOCK, SPAN, LAST = "\x03", "\x01", "\x02"
PLACE = re.compile(f"[{BLOCK}{SPAN}](\\d+){LAST}")
FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<mark>`{3,}+(?=[^\n`]*+\n)|~{3,}+(?=[\w .+#{}=-]*+\n))(?P<info>[^\n]*+)\n(?P<code>.*?)(?P<end>^[ \t]*(?P=mark)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
DIRECTIVE = re.compile(
    r"\{(?P<name>math|contents|toctree|tableofcontents|index|bibliography|raw|figure|image|note|warning|tip|hint|important|attention|caution|"
    r"danger|seealso|admonition|topic|sidebar|margin|dropdown|epigraph|glossary|tab-set|tab-item|table|"
    r"(?:exercise|solution)(?:-start|-end)?|pr(?:oo)?f:\w+)\}[ \t]*(?P<title>.*)"
)
SILENT = ("contents", "toctree", "tableofcontents", "index", "bibliography", "image")
UNTITLED = ("raw", "figure", "solution", "exercise")  # what stands after the name is a path, a label or a format
OPTION_LINES = re.compile(r"\A\s*(?:---\n.*?\n---[ \t]*\n|(?:[ \t]*:[\w-]+:[^\n]*(?:\n|\Z))+)", re.DOTALL)
TAB_LINE = re.compile(r"^(?:#@tab|%%tab)\b.*\n", re.MULTILINE)  # d2l's mark of which framework the code is for
LATEX_CODE = re.compile(
    r"\n?(\\begin\{(verbatim\*?|Verbatim|lstlisting|minted|alltt)\}.*?\\end\{\2\})[ \t]*\n?", re.DOTALL
)
LATEX_CODE_NAMES = ("{verbatim", "{Verbatim", "{lstlisting", "{minted", "{alltt")
LATEX_VERB = re.compile(r"\\(?:verb\*?(?![a-zA-Z*])|lstinline(?![a-zA-Z]))([^\s\w{}])[^\n]*?\1")
# LaTeX quotes `so' and ``so'': a code span's last mark has no blank before it and no letter after it.
CODE_SPAN = re.compile(r"`(?<![\w`}:\\$]`)(`?)(?![`\s$])(?:[^`\n]*[^`\s])`\1(?![\w`$])")
INDENTED = re.compile(r"\n\n(?:(?: {4}|\t)[^\n]*\S[^\n]*(?:\n|\Z)(?:[ \t]*\n(?= {4}|\t))*)+")
LISTED = re.compile(r"(?:^|\n) {0,3}(?:[-*+]|\d{1,3}[.)])[ \t][^\n]*\n*\Z")  # an item, whose own lines are indented
SESSION = ">>> "  # its prompts part an interpreter's session as well as line ends do
MIN_CODE_LINES_FRAC = 0.5
MAX_NESTING = 5  # of directives


class Verbatim:
    """The parts of one document that are set aside."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def aside(self, text: str) -> str:
        """The text with a place in the stead of each piece of code."""
        for _ in range(MAX_NESTING):  # a directive's text may hold fences
            if "```" not in text and "~~~" not in text:
                break
            text, count = FENCE.subn(self._fence, text)
            if not count:
                break
        if "\\begin{" in text and any(name in text for name in LATEX_CODE_NAMES):
            text = LATEX_CODE.sub(lambda found: f"\n{self.block(found[1])}\n", text)
        if "\\verb" in text or "\\lstinline" in text:
            text = LATEX_VERB.sub(lambda found: self.span(found[0]), text)
        if "`" in text:
            text = CODE_SPAN.sub(lambda found: self.span(found[0]), text)
        if text.startswith(("    ", "\t")):
            text = f"\n\n{text}"
        return INDENTED.sub(self._indented, text) if "\n\n    " in text or "\n\n\t" in text else text

    def back(self, text: str) -> str:
        """The text with the parts in their places; a part may hold others."""
        while LAST in text:
            text = PLACE.sub(lambda found: self.parts[int(found[1])], text)
        return text

    def span(self, part: str) -> str:
        self.parts.append(part)
        return f"{SPAN}{len(self.parts) - 1}{LAST}"

    def block(self, part: str) -> str:
        self.parts.append(part)
        return f"{BLOCK}{len(self.parts) - 1}{LAST}"

    def fenced(self, code: str) -> str:
        """The place of a block of code, between fences longer than any within it."""
        marks = "```"
        while marks in code:
            marks += "`"
        return self.block(f"{marks}\n{code}\n{marks}")

    def _fence(self, found: re.Match[str]) -> str:
        info, code = " ".join(found["info"].split()), TAB_LINE.sub("", found["code"])
        if (directive := DIRECTIVE.fullmatch(info)) or info == "math":
            return self._directive(
                directive["name"] if directive else "math", directive["title"] if directive else "", code
            )
        lines = [line.removeprefix(found["indent"]).rstrip() for line in code.removesuffix("\n").split("\n")]
        marks = found["mark"].replace("~", "`")
        return self.block("\n".join([marks + info, *lines, *[marks] * bool(found["end"])]))

    def _directive(self, name: str, title: str, text: str) -> str:
        text = OPTION_LINES.sub("", text)
        if name == "math":
            return f"$${text.strip()}$$"
        if name in SILENT:
            return ""
        return f"\n{'' if name.startswith(UNTITLED) else title}\n\n{text}\n"

    def _indented(self, found: re.Match[str]) -> str:
        lines = [line for line in found[0].split("\n") if line.strip()]
        code = sum(CODE_LINE.match(line) is not None for line in lines)
        before = found.string[max(0, found.start() - 500) : found.start()]
        if code < MIN_CODE_LINES_FRAC * len(lines) or SESSION in found[0] or LISTED.search(before):
            return found[0]
        return f"\n\n{self.block(textwrap.dedent(found[0]).strip())}\n\n"
