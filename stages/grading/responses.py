r"""Reading a response: what it says outside thoughts and programs, and what follows "the answer is".

said_answer("So the answer is $7$ apples.")         -> "7"
"""

import re

from stages.problems.thoughts import without_thoughts

MAX_RESPONSE_CHARS = 100_000  # what follows is cut: its end is kept, where the answer stands
STOPS = re.compile(
    r"(?P<mark></s>|<\|im_(?:end|start)\|>|<\|endoftext\|>|<\|eot_id\|>)|(?<=\s)(?:(?P<heading>## Question\b)|(?:Question|Problem|Q)\s*:)"
)
SIGNS = str.maketrans({"−": "-", "–": "-", "‐": "-", "‑": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "－": "-"})
FENCED = re.compile(r"```([^\n`]*)\n(.*?)(?:```|\Z)", re.DOTALL)  # in turn: a closing fence opens nothing
FORMULA = re.compile(
    r"\$\$(.+?)\$\$|\\\[((?:[^\\]|\\[^\[\]])++)\\\]|\\\(((?:[^\\]|\\[^()])++)\\\)|(?<!\\)\$([^$\n]+?)(?<!\\)\$",
    re.DOTALL,
)
HASHES = re.compile(r"####\s*([^\n]+)")
LETTER_A = re.compile(r"^[^\S\n]*A:\s*([^\n]+)", re.MULTILINE)
SAID = re.compile(
    r"(?:\b(?:final|correct|right|best)?\s*answers?\b(?:\s+(?:to|of|for)\b[^.:=\n]{0,80}?)?\s*(?:is(?!n.t)|are(?!n.t)|:|=|would be|should be)(?:\s*therefore)?"
    r"|^[^\S\n]*\**answer\**(?=\s*(?:\$|\\\[|\\\())|\bfinal result is|\bactually,?\s+it(?:.s|\s+is)\b|\bANSWER\b\s*:?)\s*:?\**\s*",
    re.IGNORECASE | re.MULTILINE,
)
TAIL = re.compile(r"\.\s*I hope it is correct.*", re.DOTALL | re.IGNORECASE)
SENTENCE_END = re.compile(
    r"(?<![\dA-Z])(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)\.(?=\s|$)|(?<=\d)\.(?=\s|$)|(?<=[A-Z]{2})\.(?=\s|$)|\n|(?<=[A-Z])\.(?=\s[A-Z]|\s*$)"
)
LETTERED = re.compile(r"^\([A-J]\)\s+(?=\S)")
IS_VALUE = re.compile(r"^[A-Za-z][^=]*?\s(?:is|are|equals|was)\s+(?=[^\s]*[\d$\\][^\s]*(?:\s+[^\s]+){0,3}$)")
NUMBER_IN_TEXT = re.compile(
    r"-?(?<![\w.])-?\$?(?:\d{1,3}(?: \d{3})+(?:\.\d+)?(?![\d/]|,\d)|\d+ \d{1,3}/\d{1,3}(?![\d/])|\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?)%?|-?(?<![\w.)])-?\$?\.\d+%?"
)
_DENIED = r"(?:not|instead of|rather than|as opposed to|isn't|aren't|no longer|cannot be|can't be|anything but)"
REPLACED = re.compile(rf"\b{_DENIED}\s+(?:\S+\s+){{1,4}}?but\s+(?:rather\s+|it'?s\s+|is\s+)?", re.IGNORECASE)
DENIED = re.compile(
    rf"(?:,\s*+|(?<!\s)\s*+|)\b{_DENIED}\s++(?>\d(?:[\d,.]*\d)?|[^\d,.;\n])+?(?=[,;\n]|\.(?!\d)|$|\s(?:it'?s|it is|so|because)\b)",
    re.IGNORECASE,
)
NOTHING = re.compile(
    r"(?:undefined|unknown|indeterminate|impossible|unclear|infinit\w+|none|nothing|not|no|never|cannot|can't)\b",
    re.IGNORECASE,
)
_ONE = r"[-$]*(?:\d[\d,.]*|\.\d+)(?:/\d+)?"
SEVERAL = re.compile(
    rf"(?<![\d.,$+*/×÷^-])(?<![-+*/×x÷=]\s)(?:(?:between|either|from)\s+)?{_ONE}"
    rf"(?:(?:\s++[a-zA-Z]++)?\s*+,?+\s*+\(?\b(?:or|to)|,?\s++and)\s++{_ONE}(?![\d/])",
    re.IGNORECASE,
)


def without_denials(text: str) -> str:
    """Without what a text says that it is not: "not 17 but 18" and "18, not 17" are 18."""
    return DENIED.sub("", REPLACED.sub("", text)) if re.search(_DENIED, text, re.IGNORECASE) else text


def spoken(response: str) -> str:
    """What a response says: after its thoughts, before a stop mark, without programs and their outputs."""
    text = without_thoughts(response)[-MAX_RESPONSE_CHARS:].translate(SIGNS)
    start = len(text) - len(text.lstrip())
    return FENCED.sub(" ", text[: _stop(text, start + 1)]).strip()


def _stop(text: str, start: int) -> int:
    """Where a response ends: before a stop mark, or the blank line before another question."""
    for found in STOPS.finditer(text, start):
        gap = found.start()
        while gap > start and text[gap - 1].isspace():
            gap -= 1
        line = found.start() if found["mark"] else text.find("\n" if found["heading"] else "\n\n", gap, found.start())
        if line >= 0:
            return line
    return len(text)


def said_answer(text: str) -> str:
    """What follows the last "the answer is": a formula that begins there, else the sentence."""
    for match in reversed(list(SAID.finditer(text))):
        rest = TAIL.sub("", text[match.end() :])
        lead = re.match(r"\s*(?:approximately|about|exactly|just|simply|that|:|\*\*|\s)*", rest)
        rest = rest[lead.end() if lead else 0 :]
        formula = FORMULA.match(rest)
        if formula:
            unit = re.match(r"\s*\\?(%|percent\b)", rest[formula.end() :])
            value = ", ".join(_joined_formulas(rest, formula))
            return f"{value}%" if unit else value
        end = SENTENCE_END.search(rest)
        said = rest[: end.start() if end else len(rest)].replace('\\"', '"').strip(" *").strip(" ,;:\"'")
        said = IS_VALUE.sub("", said) if IS_VALUE.match(said) else said
        inner = FORMULA.findall(said)
        if len(inner) == 1 and re.search(r"[a-zA-Z]{2,}", FORMULA.sub("", said)):
            said = next(g for g in inner[0] if g)
        if said:
            return said
    return ""


def _joined_formulas(text: str, first: re.Match[str]) -> list[str]:
    """The content of a formula, and of those after it with only a comma, "and" or "or" between."""
    parts, found = [], first
    while found:
        parts.append(next(g for g in found.groups() if g is not None).strip().rstrip(" .,"))
        between = re.compile(r"\s*,?\s*(?:and|or)?\s*(?=\$|\\\(|\\\[)").match(text, found.end())
        following = FORMULA.match(text, between.end()) if between and between.end() > found.end() else None
        if not following:
            break
        found = following
    return parts


def last_formulas(text: str) -> tuple[str, int]:
    """(content, end) of the last formula; with those before it that say the same name's other values, as "x=1 and x=2"."""
    found = list(FORMULA.finditer(text))
    if not found:
        return "", 0
    contents = [next(g for g in match.groups() if g).strip().rstrip(" .,") for match in found]
    parts = [contents[-1]]
    for place in range(len(found) - 2, -1, -1):
        between = text[found[place].end() : found[place + 1].start()]
        if not re.fullmatch(r"\s*,?\s*(?:and|or|,)\s*", between) or _name(contents[place]) != _name(parts[0]):
            break
        parts.insert(0, contents[place])
    return ", ".join(parts), found[-1].end()


def _name(formula: str) -> str | None:
    """`x=` of `x=2`; "" of a number; None of anything else."""
    if found := re.match(r"([a-zA-Z])\s*=", formula):
        return found[1]
    return "" if re.fullmatch(r"[-+]?[\d.,/\s]+|[-+]?\\[dt]?frac\s*\{\d+\}\s*\{\d+\}", formula) else None
