r"""The number of a closing sentence; what is no lone number stays whole, so that no part of it is taken for the answer.

said_number("5 hours ago")         -> "5"
said_number("negative 5")          -> "-5"
said_number(r"5 \times 10^3 m")    -> r"5 \times 10^3"
said_number("less than 5")         -> "less than 5"
"""

import re

from stages.grading.responses import NOTHING, NUMBER_IN_TEXT, SEVERAL
from stages.grading.spelled_numbers import is_number_word
from stages.grading.units import PART, changes_value, quantity_of
from stages.grading.wrappers import unwrapped

MAX_COMPOUND_CHARS = 200
STEPS = re.compile(
    r"=|,?\s*\b(?:which|that) (?:is|equals|makes|gives)\b|,?\s*\bi\.e\.,?|,\s*(?:so|or|giving)\b|\bequals\b",
    re.IGNORECASE,
)
STYLE = re.compile(r"</?[a-z]+>|[`*]{1,3}(?!\s*\d)(?=\W|$)|(?:(?<=\s)|^)[`*_#]+(?=[-$\d])|__")
MIXED = re.compile(r"(?<![\d.,/])(\d+)\s+and\s+(?:(a half)|(\d+/\d+)(?![\d/]))")
CHANGED_BEFORE = re.compile(
    r"\b(?:less|more|fewer|greater|over|under|below|above|beyond|twice|double|triple|thrice|half|thirds?|quarters?|times|plus|not|no|neither|nor"
    r"|sqrt|root|square|cube|log|sin|cos|tan)\b",
    re.IGNORECASE,
)
AT_LEAST = re.compile(r"\bno (?:less|more|fewer) than\s*$", re.IGNORECASE)
JOINED_BEFORE = re.compile(r"[\w\\]$|[\^_{/*+<>≤≥≈~|×÷√]\s*$|[\d)}]\s*[-:]\s*$|[a-zA-Z]\d*\s*-$")
NEGATIVE = re.compile(r"(?:^|\s)(?:negative|minus)\s*$|(?:^|[\s(:])-\s*$", re.IGNORECASE)
GLUED_UNIT = re.compile(r"[a-zA-Z]{2,}|[mghslL](?![a-zA-Z\d^(])")
OPERATOR = re.compile(
    r"\s*(?:[+*/×÷·^:!_'√π<>≤≥±(\[{]|x(?=\s*\d)|-\s*[\d($\\.]|-(?=\w)|-\s*$|\\(?!text|mathrm|mbox|textrm|%|,|;|!| |quad|\$)[a-zA-Z]+|~\s*\d)"
)
LISTED = re.compile(r"\s*[,;&]\s*(?:and\s+|or\s+)?-?\$?\.?\d[\d,.]*\s*(?:[,;]|$)")
WORDS_AFTER = re.compile(r"\s*([a-zA-Z][a-zA-Z\s'-]*)(.?)")
PLAIN_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}")


def said_number(said: str) -> str:
    """The first lone number among a sentence's steps (`20 - 5 = 15`), else its formula, else the sentence."""
    said = unwrapped(MIXED.sub(lambda m: f"{m[1]} {m[3] or '1/2'}", STYLE.sub("", said)).strip())
    if NOTHING.match(said) or says_several(said) or _is_compound(said):
        return said
    steps = [step for step in STEPS.split(said) if step.strip(" .,:")]
    for step in steps:
        if number := lone_number(step):
            return number
    return _formula(steps[-1]) if steps else said


def says_several(said: str) -> bool:
    """Whether the first thing that a sentence says is two numbers: "5 or 6", "from 5 to 6"."""
    found = SEVERAL.search(said)
    return bool(found) and not re.search(r"\d", said[: found.start()])  # type: ignore[union-attr]


def lone_number(text: str) -> str:
    """The only number that a phrase says, with its sign and scale word; "" where words or marks make another of it."""
    text = text.lstrip(" ,;").rstrip(" ,;.(")
    found = NUMBER_IN_TEXT.search(text)
    if not found:
        return _spelled(text)
    bare = found[0].rstrip(".,")
    before, after = text[: found.start()], text[found.start() + len(bare) :]
    sign = "-" if NEGATIVE.search(before) else ""
    before = NEGATIVE.sub(" ", before) if sign else before
    after = after.rstrip("!?. ") if re.fullmatch(r"[!?. ]*", after) else after
    if JOINED_BEFORE.search(before) or (CHANGED_BEFORE.search(before) and not AT_LEAST.search(before)):
        return ""
    if OPERATOR.match(after) or LISTED.match(after) or (re.match(r"[a-zA-Z]", after) and not GLUED_UNIT.match(after)):
        return ""
    return _with_words(sign + bare, after)


def _with_words(number: str, after: str) -> str:
    """The number with its scale word; "" where the words after it change it ("less than", "times 3")."""
    words = WORDS_AFTER.match(after)
    if not words:
        return number
    phrase = words[1].split()
    if is_number_word(phrase[0]) or phrase[0] == "dozen":
        return f"{number} {phrase[0]}"
    if re.match(r"per\s?cent|pct", words[1].lower()):
        return f"{number}%"
    near = " ".join(phrase[:3])
    is_operation = phrase[0] in ("times", "minus", "plus", "over", "out", "per", "mod") and re.match(r"[\d$]", words[2])
    return "" if is_operation or changes_value(near) else number


def _spelled(text: str) -> str:
    """The number words at a sentence's start: "twelve apples"."""
    words = re.findall(r"[a-zA-Z-]+", text)
    count = 0
    while count < len(words) and all(is_number_word(part) for part in words[count].lower().split("-")):
        count += 1
    return " ".join(words[:count]) if words and text.startswith(words[0]) else ""


def _is_compound(text: str) -> bool:
    """Two quantities of one kind: "5 hours and 30 minutes"."""
    return len(text) <= MAX_COMPOUND_CHARS and len(PART.findall(text)) > 1 and quantity_of(text.rstrip(".")) is not None


def _formula(text: str) -> str:
    """A formula without the words after it: `3 / 4 of the total`; the whole text where these change it."""
    word = PLAIN_WORD.search(text)
    if (
        not word
        or not re.search(r"\d", text[: word.start()])
        or changes_value(" ".join(text[word.start() :].split()[:3]))
    ):
        return text.strip()
    return text[: word.start()].strip().rstrip(",;")
