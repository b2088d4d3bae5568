r"""Lines that mean a tag of the grammar though they are written in another way, and the tag that each stands for.

    restored_tags("**Problem:** What is 3+4?\n...")  -> ("[Problem]\nWhat is 3+4?\n...", {"emphasis", "colon", "brackets"})

A line is a tag where nothing else can be meant: the tag's word in brackets at its start, or alone, or before a colon. Marks of
Markdown and HTML around it are taken off. Lines of code blocks are none. Where a name has its tag already, or several lines may be
it, all are left as they are, and the strict parser rejects the completion.
"""

import html
import re
import unicodedata
from dataclasses import dataclass, field

NAMES = ("problem", "solution", "end")
HTML = r"</?(?:b|strong|em|i|u|p|div|span|center|h[1-6]|br)[ \t]*/?>"
# What may stand around a tag's word, by the name of its repair, in the order in which it is looked for.
BEFORE = {
    "invisible": "[\u200b-\u200d\u2060\ufeff]+", "quote": r">[ \t]*", "numbered": r"\(?\d{1,2}[.)][ \t]+|[-*+•][ \t]+",
    "heading": r"#{1,6}[ \t]*", "emphasis": r"\*{1,3}|_{1,3}", "code": r"`{1,2}", "html": HTML, "escaped": r"\\(?=\[)",
}  # fmt: skip
AFTER = {
    "invisible": "[\u200b-\u200d\u2060\ufeff]+", "colon": r":", "emphasis": r"\*{1,3}|_{1,3}", "code": r"`{1,2}", "html": HTML,
    "heading": r"#{1,6}[ \t]*$",
}  # fmt: skip
MAX_LAYERS = 12  # around a tag; a line of a hundred thousand stars is none
WORD = re.compile(
    r"(?P<open>[\[<])?[ \t]*/?(?P<inner>[*_]{0,3})(?P<name>problem|solution|end)(?P<number>[ \t]*#?\d{1,2})?(?P=inner)[ \t]*"
    r"(?:\\(?=\]))?(?P<close>[\]>])?",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"^[ \t*_#]*(?:\[/(?:problem|solution)\]|</(?:problem|solution)>|\[end (?:of )?(?:the )?(?:problem|solution)\])[ \t*_]*\n?",
    re.IGNORECASE | re.MULTILINE,
)
ENTITY_TAG = re.compile(r"&(?:#0*91|#x0*5b|lsqb|lbrack|lt);\s*(?:problem|solution|end)\b", re.IGNORECASE)
FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")
BRACKETS = str.maketrans("［【〔「『〖］】〕」』〗＜＞", "[[[[[[]]]]]]<>")


@dataclass
class TagLine:
    """A line that may be a tag: which one, what follows on the line, and what is unusual about it."""

    number: int  # of the line
    name: str
    is_bracketed: bool
    rest: str
    repairs: set[str] = field(default_factory=set)

    @property
    def is_marked(self) -> bool:
        """Whether more than the bare word says that it is a heading."""
        return self.is_bracketed or bool(self.repairs & {"heading", "emphasis", "colon", "html", "code"})


def tag_of(name: str) -> str:
    return f"[{name.capitalize()}]"


def restored_tags(text: str) -> tuple[str, set[str]]:
    """The text with each line that means a missing tag in the tag's place, and the names of the repairs."""
    repairs = set()
    if ENTITY_TAG.search(text):
        text, repairs = html.unescape(text), {"html"}
    lines = text.split("\n")
    found = [line for line in tag_lines(lines) if line.repairs]
    after, made = _in_place(lines, [line for name in NAMES for line in _missing(name, text, lines, found)])
    return after, repairs | made


def bared_tags(text: str) -> tuple[str, set[str]]:
    """The text without the marks around its own tags, as in `**[Solution]**`, and without closing tags."""
    opened = CLOSING.sub("", text)
    lines = opened.split("\n")
    own = [
        line for line in tag_lines(lines)
        if line.repairs and line.is_bracketed and tag_of(line.name) in lines[line.number] and opened.count(tag_of(line.name)) == 1
    ]  # fmt: skip
    after, repairs = _in_place(lines, own)
    return (after, repairs) if opened == text else (after.strip(), repairs | {"closing_tags"})


def _in_place(lines: list[str], tags: list[TagLine]) -> tuple[str, set[str]]:
    for line in tags:
        tag = tag_of(line.name)
        lines[line.number] = f"{tag}\n{line.rest}" if line.rest else tag
    return "\n".join(lines), set[str]().union(*(line.repairs for line in tags))


def _missing(name: str, text: str, lines: list[str], found: list[TagLine]) -> list[TagLine]:
    """The lines to take for a tag: those in brackets, else all; what stands before or behind the text's own tag is talk."""
    tag, named = tag_of(name), [line for line in found if line.name == name]
    if text.count(tag) > sum(tag in lines[line.number] for line in named):
        own = text[: text.index(tag)].count("\n")
        return [line for line in named if name == "solution" or (line.number > own) == (name == "problem")]
    return [line for line in named if line.is_bracketed] or named


def tag_lines(lines: list[str]) -> list[TagLine]:
    """The lines outside code blocks that may be tags."""
    found, fence = [], ""
    for number, line in enumerate(lines):
        if mark := FENCE.fullmatch(line):
            fence = "" if fence and mark[1].startswith(fence) and not mark[2].strip() else fence or mark[1]
        elif not fence and (tag := tag_line(number, line)):
            found.append(tag)
    return found


def tag_line(number: int, line: str) -> TagLine | None:
    """The tag that a line may be."""
    folded = line if line.isascii() else unicodedata.normalize("NFKC", line[:60].translate(BRACKETS)) + line[60:]
    if not WORD.search(folded, 0, 80):
        return None
    repairs = {"full_width"} if folded != line else set()
    rest, before = _peeled(folded.strip(), BEFORE)
    word = WORD.match(rest)
    if not word or (word["open"] or "") + (word["close"] or "") not in ("", "[]", "<>"):
        return None
    name = word["name"].lower()
    rest, after = _peeled(rest[word.end() :], AFTER)
    if "emphasis" in before and "emphasis" not in after:
        rest = rest.removesuffix(before["emphasis"]).strip()  # the emphasis holds the whole line
    repairs |= before.keys() | after.keys()
    repairs |= {"numbered"} if word["number"] else set()
    repairs |= {"emphasis"} if word["inner"] else set()
    if name == "end" and not re.search(r"\w", rest):
        rest = ""
    is_bracketed = word["open"] == "["
    if "/" in word[0] and (name != "end" or not word["open"]):
        return None
    if not is_bracketed and (rest and "colon" not in repairs):
        return None
    repairs |= set() if is_bracketed else {"brackets"}
    repairs |= {"closing_tags"} if "/" in word[0] else set()
    repairs |= set() if word["name"] == name.capitalize() else {"case"}
    return TagLine(number, name, is_bracketed, rest, repairs)


def _peeled(text: str, layers: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The text without the layers before it, and what each of these was."""
    peeled: dict[str, str] = {}
    for _ in range(MAX_LAYERS):
        found = next(((name, match) for name, pattern in layers.items() if (match := re.match(pattern, text))), None)
        if not found:
            break
        peeled[found[0]] = found[1][0]
        text = text[found[1].end() :].lstrip(" \t")
    return text.strip(), peeled
