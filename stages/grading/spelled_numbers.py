"""Numbers in words.

spelled_number("one hundred twenty-three") -> 123
spelled_number("three apples")             -> None: a word is no number word
"""

import re
from itertools import pairwise

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = {word: 20 + 10 * i for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())}
SMALL = {word: i for i, word in enumerate(_ONES)} | _TENS
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}


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
