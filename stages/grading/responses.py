r"""Reading a response: what it says outside thoughts and programs, its boxes, and what follows "the answer is".

last_boxes(r"\boxed{1}, \boxed{2} and \boxed{3}")  -> "1, 2, 3"
said_answer("So the answer is $7$ apples.")         -> "7"
"""

import re

from stages.problems.thoughts import without_thoughts

MAX_RESPONSE_CHARS = 100_000  # what follows is cut: its end is kept, where the answer stands
STOPS = re.compile(
    r"</s>|<\|im_(?:end|start)\|>|<\|endoftext\|>|<\|eot_id\|>|\n\s*## Question\b|\n\n\s*(?:Question|Problem|Q)\s*:"
)
FENCED = re.compile(r"```([^\n`]*)\n(.*?)(?:```|\Z)", re.DOTALL)  # in turn: a closing fence opens nothing
BOX = re.compile(r"[\\/](?:boxed|fbox)\s*\{")
BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s+([^\s${}\\]+)")
BETWEEN_BOXES = re.compile(r"(?:\s|[,;.$]|\\[\[\]()]|\\q?quad|\\text\s*\{\s*,?\s*(?:and|or)?\s*,?\s*\}|and|or|\\\\|&)*")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$([^$\n]+?)(?<!\\)\$", re.DOTALL)
HASHES = re.compile(r"####\s*([^\n]+)")
LETTER_A = re.compile(r"^\s*A:\s*([^\n]+)", re.MULTILINE)
SAID = re.compile(
    r"(?:\b(?:final|correct|right|best)?\s*answers?\b(?:\s+(?:to|of|for)\b[^.:=\n]{0,80}?)?\s*(?:is|are|:|=|would be|should be)(?:\s*therefore)?"
    r"|^\s*\**answer\**(?=\s*(?:\$|\\\[|\\\())|\bfinal result is|\bANSWER\b\s*:?)\s*:?\**\s*",
    re.IGNORECASE | re.MULTILINE,
)
TAIL = re.compile(r"\.\s*I hope it is correct.*", re.DOTALL | re.IGNORECASE)
SENTENCE_END = re.compile(
    r"(?<![\dA-Z])(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)\.(?=\s|$)|(?<=\d)\.(?=\s|$)|(?<=[A-Z]{2})\.(?=\s|$)|\n|(?<=[A-Z])\.(?=\s[A-Z]|\s*$)"
)
LETTERED = re.compile(r"^\([A-J]\)\s+(?=\S)")
IS_VALUE = re.compile(r"^[A-Za-z][^=]*?\s(?:is|are|equals|was)\s+(?=[^\s]*[\d$\\][^\s]*(?:\s+[^\s]+){0,3}$)")
NUMBER_IN_TEXT = re.compile(r"-?(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?:/\d+)?%?|-?\.\d+")


def spoken(response: str) -> str:
    """What a response says: after its thoughts, before a stop mark, without programs and their outputs."""
    text = without_thoughts(response)[-MAX_RESPONSE_CHARS:]
    start = len(text) - len(text.lstrip())
    if stop := STOPS.search(text, start + 1):
        text = text[: stop.start()]
    return FENCED.sub(" ", text).strip()


def last_boxes(text: str) -> str:
    """The last box's content, with those right before it when only commas, "and" or "or" stand between."""
    spans = [(m.start(), m.end()) for m in BOX.finditer(text)]
    contents: list[tuple[int, int, str]] = []
    for start, inside in spans:
        end = _closing(text, inside)
        if contents and start < contents[-1][1]:
            continue  # a box in a box
        contents.append(
            (start, end, text[inside : end - 1] if end else text[inside : inside + 200].split("\n")[0].rstrip("$ ."))
        )
        if not end:
            contents[-1] = (start, len(text), contents[-1][2])
    if not contents:
        bare = BARE_BOX.findall(text)
        return bare[-1] if bare else ""
    parts = [contents[-1][2]]
    for (_, end, content), (start, _, _) in zip(reversed(contents[:-1]), reversed(contents[1:]), strict=True):
        if not BETWEEN_BOXES.fullmatch(text, end, start):
            break
        if content not in parts:
            parts.insert(0, content)
    return ", ".join(parts).strip()


def _closing(text: str, start: int) -> int:
    """The place after the brace that closes the one before `start`; 0 if none does."""
    depth = 1
    for match in re.compile(r"\\.|[{}]").finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def said_answer(text: str) -> str:
    """What follows the last "the answer is": a formula that begins there, else the sentence."""
    for match in reversed(list(SAID.finditer(text))):
        rest = TAIL.sub("", text[match.end() :])
        lead = re.match(r"\s*(?:approximately|about|exactly|just|simply|that|:|\*\*|\s)*", rest)
        rest = rest[lead.end() if lead else 0 :]
        formula = FORMULA.match(rest)
        if formula:
            unit = re.match(r"\s*(%|percent\b)", rest[formula.end() :])
            value = next(g for g in formula.groups() if g is not None).strip().rstrip(" .,")
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
