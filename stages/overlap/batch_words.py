r"""The words of many texts at once, as `words_of` reads them one by one, some six times faster.

    read_words(["Solve $x = 1,000$", "Find \\pi"])  ->  [b"solve", b"x", b"1000", b"\0", b"find", b"pi"], [0 1 2 3 4 5 3]

All texts are one string of bytes, each ended by END; numpy cuts it at the borders of letters, digits and the rest, and
Arrow's dictionary tells the different words apart. What is rare is left to the regular expressions: LaTeX's commands in a
text with letters outside ASCII, and, for the whole batch, digits outside ASCII. tests/test_words.py holds this to `words_of`.
"""

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa

from stages.overlap.words import NOT_ASCII, SAID, as_read, words_of

END_OF_TEXT = b"\0"
END = "\n\0"  # two characters, as a backslash at a text's end takes the next one with it
SPACE = rb"[ \t-\r\x1c-\x1f]*"  # what \s is in a string
ENVIRONMENT = re.compile(rb"\\(?:begin|end)%b\{[a-z*]+\}" % SPACE)
UNSAID_LATEX = re.compile(
    rb"%b|\\(?!(?:%b)(?![a-z]))(?:[a-z]+|[\xc0-\xff][\x80-\xbf]+|.)" % (ENVIRONMENT.pattern, SAID.encode()), re.DOTALL
)
SAID_COMMANDS = frozenset(SAID.encode().split(b"|"))
OTHER, LETTER, DIGIT, STOP = 0, 1, 2, 3
KINDS = bytes(
    STOP if one == 0 else DIGIT if chr(one) in "0123456789" else LETTER if one > 127 or chr(one).isalpha() else OTHER
    for one in range(256)
)


def read_words(texts: list[str]) -> tuple[list[bytes], np.ndarray]:
    """The different words in UTF-8, and the place among them of each word, int32[N + B], END_OF_TEXT after each text."""
    data = _plain(texts)
    if data is None:
        read = [word for text in texts for word in (*words_of(text), "\0")]
        numbers = {word: number for number, word in enumerate(dict.fromkeys(read))}
        return [word.encode() for word in numbers], np.fromiter(map(numbers.__getitem__, read), np.int32, len(read))
    words, is_command = _cut(data)
    encoded = words.dictionary_encode()
    different = encoded.dictionary.to_pylist()
    places = np.frombuffer(encoded.indices.buffers()[1], np.int32, len(words))  # `to_numpy` imports pandas
    if is_command.any():
        is_said = np.array([word in SAID_COMMANDS for word in different])
        places = places[~is_command | is_said[places]]
    return different, places


def _plain(texts: list[str]) -> bytes | None:
    """All texts in small letters, each as `words_of` has it before it drops commands; None with digits outside ASCII."""
    joined = END.join([*texts, ""])
    if joined.count("\0") > len(texts):
        joined = END.join([*(text.replace("\0", "\1") for text in texts), ""])
    if "Σ" in joined:  # its small form depends on what stands around it
        joined = END.join([text.lower() if "Σ" in text else text for text in joined.split(END)])
    data = joined.encode("utf-8", "surrogatepass").lower()
    if not data.isascii():
        read = _read_runs(data)
        if read is None:
            return None
        data = read
    if b"\\" in data:
        data = _without_thin_commas(data).replace(b"\\!", b"")
        if not data.isascii():
            data = END_OF_TEXT.join(part if part.isascii() else _unsaid(part) for part in data.split(END_OF_TEXT))
    return data


def _read_runs(data: bytes) -> bytes | None:
    """The texts with each run of characters outside ASCII as it is read; None when there are digits among them."""
    is_high = np.frombuffer(data, np.int8) < 0
    borders = np.flatnonzero(is_high[1:] != is_high[:-1]) + 1  # the last character is in ASCII
    borders = np.concatenate([[0], borders]) if is_high[0] else borders
    parts: list[bytes] = []
    done = 0
    for start, end in zip(borders[::2].tolist(), borders[1::2].tolist(), strict=True):
        run = _read_run(data[start:end])
        if run is None:
            return None
        parts += data[done:start], run
        done = end
    return b"".join([*parts, data[done:]])


@lru_cache(maxsize=100_000)
def _read_run(run: bytes) -> bytes | None:
    lower = run.decode("utf-8", "surrogatepass").lower()
    read = NOT_ASCII.sub(lambda found: as_read(found[0]), lower)
    return None if any(one > "\x7f" and one.isdecimal() for one in read) else read.encode()


def _without_thin_commas(data: bytes) -> bytes:
    """Drop LaTeX's "{,}" from the texts that hold a backslash."""
    parts: list[bytes] = []
    done = 0
    while (place := data.find(b"{,}", done)) >= 0:
        start, end = max(data.rfind(END_OF_TEXT, done, place), done), data.index(END_OF_TEXT, place)
        text = data[start:end]
        parts += data[done:start], text.replace(b"{,}", b"") if b"\\" in text else text
        done = end
    return b"".join([*parts, data[done:]])


def _unsaid(text: bytes) -> bytes:
    return UNSAID_LATEX.sub(b" ", text).replace(b"\\", b" ")


def _cut(data: bytes) -> tuple[pa.BinaryArray, np.ndarray]:
    """The words of all texts with END_OF_TEXT after each, and whether each is the name of a LaTeX command."""
    characters = np.frombuffer(data, np.uint8)
    kinds = np.frombuffer(bytearray(data.translate(KINDS)), np.uint8)
    _drop_capitals(characters, kinds)
    is_backslash = _drop_escaped(data, characters, kinds)
    is_word = kinds > OTHER
    changes = kinds[1:] != kinds[:-1]
    starts = np.flatnonzero(changes & is_word[1:]) + 1
    starts = np.concatenate([[0], starts]) if is_word[:1].any() else starts
    ends = np.flatnonzero(changes & is_word[:-1]) + 1
    ends = np.concatenate([ends, [len(data)]]) if len(data) else ends  # the last one is a border
    with_point, with_comma = _joined_digits(characters, kinds[starts], starts, ends)
    lengths = ends - starts
    lengths[with_point] += 1
    is_word[starts[with_point] - 1] = True
    is_first = np.ones(len(starts), bool)
    is_first[with_point] = is_first[with_comma] = False
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    offsets = np.concatenate([offsets[:-1][is_first], offsets[-1:]]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(characters[is_word])]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers), is_backslash[starts[is_first] - 1]


def _drop_capitals(characters: np.ndarray, kinds: np.ndarray) -> None:
    """`words_of` takes a capital, such as the compatible form of ℝ, for a letter only where a text is not ASCII."""
    capitals = np.flatnonzero(characters - np.uint8(65) < 26)
    if len(capitals):
        high, borders = np.flatnonzero(characters > 127), np.flatnonzero(characters == 0)
        text = np.searchsorted(borders, capitals)
        before = np.searchsorted(high, np.concatenate([[0], borders]))
        kinds[capitals[before[text] == before[text + 1]]] = OTHER


def _drop_escaped(data: bytes, characters: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Drop environments' names and what is no letter after a backslash; bool[len(data)]: what begins a command."""
    is_backslash = characters == ord("\\")
    places = _every_other(np.flatnonzero(is_backslash))
    is_backslash[:] = False
    is_backslash[places] = True
    escaped = places + 1
    kinds[escaped[kinds[escaped] != LETTER]] = OTHER
    first, second = characters[escaped], characters[escaped + 1]
    is_near = ((first == ord("b")) & (second == ord("e"))) | ((first == ord("e")) & (second == ord("n")))
    for place in places[is_near].tolist():
        if found := ENVIRONMENT.match(data, place):
            kinds[slice(*found.span())] = OTHER
    return is_backslash


def _every_other(places: np.ndarray) -> np.ndarray:
    """Of sorted places, the first, third, fifth ... of those that follow each other without a gap."""
    run = np.cumsum(np.diff(places, prepend=-2) != 1)
    return places[(np.arange(len(places)) - np.searchsorted(run, run)) % 2 == 0]


def _joined_digits(
    characters: np.ndarray, kinds: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which runs go on the number before them after a point ("2.5"), and which after a comma ("1,000")."""
    is_next = (starts[1:] == ends[:-1] + 1) & (kinds[1:] == DIGIT) & (kinds[:-1] == DIGIT)
    runs = np.flatnonzero(is_next) + 1
    between = characters[starts[runs] - 1]
    points = _every_other(runs[between == ord(".")])  # "1.2.3" is 1.2 and 3
    commas = runs[(between == ord(",")) & (ends[runs] - starts[runs] == 3)]
    return points, commas[~np.isin(commas - 1, points)]
