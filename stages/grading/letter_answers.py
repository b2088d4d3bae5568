r"""Answers in letters: words, the letter of an option, products of letters. A sign or a prime makes a formula of them.

same_words("North-East", "north east")  -> True
option_letter(r"\text{(C)}")            -> "(C"
commute("ba", "ab")                     -> True; not "no" and "on", which are words
"""

import re

FORMULA_MARKS = re.compile(
    r"[\\^_{}=<>+*/|!]|\d"
    r"|(?<![a-zA-Z])-|-(?![a-zA-Z]{3})"  # a sign; the hyphen of "x-axis" and "North-East" is none
    r"|(?<![a-zA-Z])[a-zA-Z]'(?![a-zA-Z])"  # a prime
)
STYLED = re.compile(
    r"\\(?:text|mbox|mathrm|textrm|textbf|mathbf|textit|mathsf|boldsymbol|bf|boxed|fbox)\s*\{|[{}$*]|\\[,;! ]|~"
)
OPTION = re.compile(r"(?:option|choice|answer|letter)?\s*(?:is\s+)?(\()?([a-zA-Z])(?(1)\)|[).:]?)", re.IGNORECASE)
OTHER_OPTION = r"(?!.*\([A-J]\))(?!\s*(?:or|and)\b)"
OPTION_WITH_TEXT = re.compile(
    rf"\(([A-J])\)(?:\s*[.:])?{OTHER_OPTION}(?:\s*[^\W_]|\s*[$\\\"]|\s+[-(\[.])(?:.*)|([A-J])[).:]\s+(?!or\b|and\b)\S.*",
    re.DOTALL,
)
PRODUCT = re.compile(
    r"[a-z]{2}|[a-d]{3,4}|[b-df-hj-np-tv-z]{3,4}"  # variables
    r"|[A-H]{2}|[P-T]{2}|[X-Z]{2}"  # a line's points
)
SHORT_WORDS = frozenset("am an as at be by do go he hi if in is it me my no of on or so to up us we bad add".split())


def option_letter(answer: str) -> str:
    r"""The letter that an answer is, with its bracket if it has one: `\text{(C)}` is "(C"; "" for anything else."""
    text = STYLED.sub(" ", answer).strip().rstrip(".").strip()
    text = re.sub(r"\(\s*([a-zA-Z])\s*\)", r"(\1)", text)
    if found := OPTION.fullmatch(text):
        return f"{found[1] or ''}{found[2]}"
    if found := OPTION_WITH_TEXT.fullmatch(text):
        return f"({found[1] or found[2]}"
    return ""


def same_words(one: str, other: str) -> bool:
    """Whether plain words (normalization.plain_words) are the same but for articles, spaces, hyphens and dots."""
    return _squeezed(one) == _squeezed(other) != ""


def commute(one: str, other: str) -> bool:
    """Whether letters are the same product in another order."""
    return one != other and sorted(one) == sorted(other) and all(map(_is_product, (one, other)))


def _is_product(letters: str) -> bool:
    return bool(PRODUCT.fullmatch(letters)) and letters not in SHORT_WORDS


def _squeezed(words: str) -> str:
    text = re.sub(r"\s", "", re.sub(r"^(?:the|an?)\s+(?=\w)", "", words))
    return re.sub(r"(?<=[a-z])-(?=[a-z]{3})|\.(?!\d)|(?<=[a-z]{2})'(?=[a-z]|$)", "", text)
