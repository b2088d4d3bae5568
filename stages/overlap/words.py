r"""The words of a text as n-gram matching sees them.

    words_of("Solve $\frac{1}{2}x = 1,000$ for \pi!")  ->  ["solve", "1", "2", "x", "1000", "for", "pi"]

Case, punctuation, white space and LaTeX's marks are gone, so a formula and its plain form give the same words: of LaTeX
commands only those that a reader would say (`\pi`, `\sin`) are kept. A number is one word, its thousands joined.

`words_of` is the definition; `stages/overlap/word_hashes.py` reads a batch of texts the same way, many times faster.
"""

import functools
import re
import unicodedata

SAID = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi|psi|omega|"
    "sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp|lim|max|min|gcd|lcm|det|infty|angle|triangle"
)
UNSAID_LATEX = re.compile(rf"\\(?:begin|end)\s*\{{[a-z*]+\}}|\\(?!(?:{SAID})(?![a-z]))(?:[a-z]+|.)", re.DOTALL)
THOUSANDS = re.compile(r"\d,\d{3}")
NUMERAL = r"\d+(?:,\d{3}(?!\d))*(?:\.\d+)?"
ASCII_WORD, WORD = re.compile(rf"[a-z]+|{NUMERAL}", re.ASCII), re.compile(rf"[^\W\d_]+|{NUMERAL}")
GREEK = dict(
    zip(
        "αβγδεζηθλμνξπρστφχψω",
        "alpha beta gamma delta epsilon zeta eta theta lambda mu nu xi pi rho sigma tau phi chi psi omega".split(),
        strict=True,
    )
)
NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    text = text.lower()
    if not text.isascii():
        text = NOT_ASCII.sub(lambda found: as_read(found[0]), text)
    if "\\" in text:
        text = UNSAID_LATEX.sub(" ", text.replace("{,}", "").replace("\\!", ""))
    words: list[str] = (ASCII_WORD if text.isascii() else WORD).findall(text)
    return [word.replace(",", "") for word in words] if THOUSANDS.search(text) else words


@functools.lru_cache(maxsize=100_000)
def as_read(characters: str) -> str:
    """Characters outside ASCII in their compatible form, Greek letters by name, and a blank for each mark."""
    plain = unicodedata.normalize("NFKC", characters)
    return "".join(
        f" {GREEK[one]} " if one in GREEK else one if one.isalnum() or one.isascii() else " " for one in plain
    )
