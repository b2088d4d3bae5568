r"""The words of a text as n-gram matching sees them, and n-gram hashes of many texts at once.

    words_of("Solve $\frac{1}{2}x = 1,000$ for \pi!")  ->  ["solve", "1", "2", "x", "1000", "for", "pi"]

Case, punctuation, white space and LaTeX's marks are gone, so a formula and its plain form give the same words: of LaTeX
commands only those that a reader would say (`\pi`, `\sin`) are kept. A number is one word, its thousands joined.

Hashes are 64 bits. A batch of texts is one flat array with a border after each text, so that no n-gram that crosses
two texts equals one of a text; shapes: [N] with N all words of the batch and one border a text.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import xxhash

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

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
BORDER = 0x517CC1B727220A94  # the hash of no word
NUMBER = np.uint64(0x2545F4914F6CDD1D)  # of every number, where numbers are abstracted
ONE = np.uint64(1)
MAX_CACHED_WORDS = 1_000_000


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    text = text.lower()
    if not text.isascii():
        text = NOT_ASCII.sub(lambda found: _as_read(found[0]), text)
    if "\\" in text:
        text = UNSAID_LATEX.sub(" ", text.replace("{,}", "").replace("\\!", ""))
    words: list[str] = (ASCII_WORD if text.isascii() else WORD).findall(text)
    return [word.replace(",", "") for word in words] if THOUSANDS.search(text) else words


@functools.lru_cache(maxsize=100_000)
def _as_read(characters: str) -> str:
    """Characters outside ASCII in their compatible form, Greek letters by name, and a blank for each mark."""
    plain = unicodedata.normalize("NFKC", characters)
    return "".join(
        f" {GREEK[one]} " if one in GREEK else one if one.isalnum() or one.isascii() else " " for one in plain
    )


class WordHashes(dict[str, int]):
    """word -> 64-bit hash, the same in every process; the lowest bit is set for numbers, and for them alone.

    A number word has the hash of its digits.
    """

    def __missing__(self, word: str) -> int:
        said = NUMBER_WORDS.get(word, word)
        value = xxhash.xxh3_64_intdigest(said.encode("utf-8", "surrogatepass"))
        value = value | 1 if said[:1].isdigit() else value & ~1
        if len(self) < MAX_CACHED_WORDS:
            self[word] = value
        return value

    def flat(self, texts: Iterable[list[str]]) -> np.ndarray:
        """uint64[N]: the hashes of all texts' words, a border after each text."""
        parts = ((*map(self.__getitem__, words), BORDER) for words in texts)
        return np.fromiter(chain.from_iterable(parts), dtype=np.uint64)


def abstract_numbers(hashes: np.ndarray) -> np.ndarray:
    """The hashes with every number as the same word."""
    return np.where(hashes & ONE, NUMBER, hashes)


def ngram_hashes(hashes: np.ndarray, sizes: Iterable[int]) -> Iterator[np.ndarray]:
    """uint64[N - n + 1] for each n of `sizes`, which ascend: a hash of each n words in a row; empty when N < n."""
    result = hashes
    done = 1
    for size in sizes:
        for offset in range(done, size):
            count = max(len(hashes) - offset, 0)
            result = result[:count] * MULTIPLIER
            result ^= result >> np.uint64(29)
            result += hashes[offset : offset + count]
        done = size
        yield result


def mix(hashes: np.ndarray) -> np.ndarray:
    """A bijection of uint64 that spreads every bit (the finalizer of MurmurHash3)."""
    hashes = hashes ^ (hashes >> np.uint64(33))
    hashes = hashes * np.uint64(0xFF51AFD7ED558CCD)
    hashes ^= hashes >> np.uint64(33)
    hashes *= np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))
