r"""The hashes of the words of many texts at once, as one array: what n-gram matching works on.

    hashed = hash_words(["Solve $x = 1,000$", "Find \\pi"])
    hashed.flat      # uint64[N + B]: solve x 1000 BORDER find pi BORDER
    hashed.counts    # int64[B]: 3 2

The words are those of `words_of`, one text after the other (stages/overlap/batch_words.py). Each different word is hashed
once. A border stands between texts, so that no n-gram that crosses two texts equals one of a text. A text of no words has
one: all its characters.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xxhash

from stages.overlap.batch_words import END_OF_TEXT, read_words
from stages.overlap.words import NUMBER_WORDS

BORDER = 0x517CC1B727220A94  # the hash of no word
MAX_CACHED_WORDS = 1_000_000


@dataclass(frozen=True)
class HashedWords:
    """Of B texts with N words: the words' hashes with a border after each text, and each text's number of words > 0."""

    flat: np.ndarray
    counts: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """int64[B]: where each text begins in `flat`."""
        starts: np.ndarray = np.cumsum(self.counts + 1) - self.counts - 1
        return starts

    def of(self, number: int) -> np.ndarray:
        """The words of one text, with the border after them."""
        start = self.starts[number]
        return self.flat[start : start + self.counts[number] + 1]


class WordHashes(dict[bytes, int]):
    """A word in UTF-8 -> its 64-bit hash, the same in every process; the lowest bit is set for numbers, and for them alone.

    A number word has the hash of its digits.
    """

    def __missing__(self, word: bytes) -> int:
        text = word.decode("utf-8", "surrogatepass")
        said = NUMBER_WORDS.get(text, text)
        value = xxhash.xxh3_64_intdigest(said.encode("utf-8", "surrogatepass"))
        value = value | 1 if said[:1].isdigit() else value & ~1
        if len(self) < MAX_CACHED_WORDS:
            self[word] = value
        return value


_hashes = WordHashes()


def hash_words(texts: list[str]) -> HashedWords:
    """The hashes of the words of a batch of texts."""
    different, places = read_words(texts)
    hashes = np.fromiter(map(_hashes.__getitem__, different), np.uint64, len(different))
    border = different.index(END_OF_TEXT) if texts else 0
    hashes[border : border + 1] = BORDER
    ends = np.flatnonzero(places == border)
    return _with_characters(hashes[places], np.diff(ends, prepend=-1) - 1, texts)


def _with_characters(flat: np.ndarray, counts: np.ndarray, texts: list[str]) -> HashedWords:
    """A text of no words is known by all its characters."""
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        values = [_hashes[texts[number].encode("utf-8", "surrogatepass")] for number in empty.tolist()]
        flat = np.insert(flat, (np.cumsum(counts + 1) - 1)[empty], np.array(values, np.uint64))
        counts = np.maximum(counts, 1)
    return HashedWords(flat, counts)
