"""Numbers in words.

spelled_number("one hundred twenty-three") -> 123
spelled_number("three apples")             -> None: a word is no number word
spelled_value("two thirds")                -> Fraction(2, 3)
"""

import re
from fractions import Fraction
from itertools import pairwise

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = {word: 20 + 10 * i for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())}
SMALL = {word: i for i, word in enumerate(_ONES)} | _TENS
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PARTS = {word: i for i, word in enumerate("half third fourth fifth sixth seventh eighth ninth tenth".split(), 2)} | {
    "quarter": 4
}


def spelled_number(text: str) -> int | None:
    """The whole number that a text in words is; None for anything else."""
    words = re.findall(r"[a-z]+|[^a-z\s]+", text.lower().replace("-", " "))
    negative = bool(words) and words[0] in ("minus", "negative")
    words = [word for word in words[negative:] if word != "and"]
    if not words or not any(word in SMALL for word in words) or any(not is_number_word(word) for word in words):
        return None
    if any(a in SMALL and b in SMALL and not (SMALL[a] >= 20 and 0 < SMALL[b] < 10) for a, b in pairwise(words)):
        return None  # "one two three" counts
    return -sum_of(words) if negative else sum_of(words)


def spelled_value(text: str) -> Fraction | None:
    """The whole number or the fraction that a text in words is: "two thirds", "minus one half", "a hundred"."""
    text = re.sub(r"\ban?\s+(?=\w)", "one ", text.lower().replace("-", " ")).strip()
    text = re.sub(r"^half$", "one half", text)
    whole = spelled_number(text)
    before, _, rest = text.partition(" and one ")
    if whole is None and rest in PARTS and (number := spelled_number(before)) is not None:
        return number + Fraction(1, PARTS[rest])
    if whole is not None:
        return Fraction(whole)
    top, _, part = text.rpartition(" ")
    part = "half" if part == "halves" else part
    bottom = PARTS.get(part) or PARTS.get(part.removesuffix("s"))
    count = spelled_number(top) if top else None
    return Fraction(count, bottom) if bottom and count is not None else None


def is_number_word(word: str) -> bool:
    return word in SMALL or word in LARGE or word == "hundred"


def sum_of(words: list[str]) -> int:
    """The value of number words in their order."""
    total = part = 0
    for word in words:
        if word in SMALL:
            part += SMALL[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            total, part = total + part * LARGE[word], 0
    return total + part
