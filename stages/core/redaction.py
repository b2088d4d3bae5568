"""What must reach no file, message or table: the keys of servers, in any form; and, on a terminal, escape codes.

A server may repeat what it was sent, in an error or in a text that it writes; a file may hold anything.
"""

import base64
import functools
import os
import re
from typing import NamedTuple

from stages.core.key_masks import MASKS, masked_key, starred_key

KEYS = ("OPENAI_API_KEY", "NINECHAPTERS_SERVER_KEY", "HF_TOKEN")
LONG_KEY = 16  # characters from which on a key is looked for whatever it is made of, and in either case
MIN_KEY = 6
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}  # in HTML
ENCODED = re.compile(r"%(?:25)?[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|&(?:#|amp|lt|gt|quot|apos)")
INVISIBLE = "\u00ad\u200b-\u200d\u2060\ufeff"
# What may break a long key into pieces: blanks, ends of lines, also as JSON and HTML write them, and what nobody sees.
BREAK = rf"(?:[\s{INVISIBLE}]|\\{{1,2}}[nrt]|\\{{1,2}}u(?:00ad|200[bcd]|2060|feff)|<br ?/?>|<wbr>|&shy;|&nbsp;|&#8203;){{0,6}}+"
# Between the numbers of characters, as in "73 6b", "73:6b", "0x73, 0x6b", "\x73\x6b" and "[115, 107]".
BETWEEN = r"(?:[\s:,;|'\"-]|\\{1,2}[nx]|\\{1,2}(?=\d)|0[xXo]){0,6}+"
NUMBERS = re.compile(r"0[xo]|\\+x|[\s:,;|'\"\\-]+", re.IGNORECASE)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # but tab and line feed


def scrub(text: str) -> str:
    """The text without the keys that the environment holds: plain, quoted, escaped, masked, in hexadecimal or base64; and without
    lone surrogates, which no file can hold.

    >>> import os; os.environ["NINECHAPTERS_SERVER_KEY"] = "sk-secret/1"
    >>> scrub("Bearer sk-secret/1 is wrong; /login?key=sk-secret%2F1")
    'Bearer [key] is wrong; /login?key=[key]'
    >>> del os.environ["NINECHAPTERS_SERVER_KEY"]
    """
    text = _storable(text)
    for key in {_bare(os.environ.get(name, "")) for name in KEYS}:
        if not is_secret(key):
            continue
        if (key[:2] in text or key[-4:] in text) and any(mask in text for mask in MASKS):
            text = masked_key(key).sub("[key]", text)
        if "***" in text or "\u2022" in text or "\u25cf" in text:
            text = starred_key(key).sub("[key]", text)
        if _may_hold(text, key):
            text = _pattern(key).sub("[key]", text)
    return text


def _bare(value: str) -> str:
    """A key without what people set around it by mistake."""
    return _storable(re.sub(r"(?i)^bearer\s+", "", value.strip().strip("\"'")).strip())


def is_secret(key: str) -> bool:
    """Whether a key is to be hidden: not a word that stands for none (`EMPTY`, `dummy`), which texts may hold.

    >>> [is_secret(key) for key in ("EMPTY", "token-abc123", "a" * 20)]
    [False, True, True]
    """
    is_mixed = any(map(str.isdigit, key)) and any(map(str.isalpha, key))
    return len(key) >= LONG_KEY or (len(key) >= MIN_KEY and is_mixed)


def printable(text: str) -> str:
    r"""The text with control characters written out, so that nobody's words move the cursor or colour a terminal.

    >>> printable("red \x1b[31m alarm")
    'red \\x1b[31m alarm'
    """
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _may_hold(text: str, key: str) -> bool:
    """Whether the patterns, which take long, are worth a search; it errs on the side of yes."""
    traces = _traces(key)
    letters = text.lower()
    if any(trace in letters for trace in traces.plain):
        return True
    if any(mark in text for mark in ("%", "\\u", "&")) and ENCODED.search(text):
        return True
    packed = "".join(text.split())
    packed = packed.replace("\\n", "") if "\\n" in packed else packed
    if any(trace in packed.replace("-", "+").replace("_", "/") for trace in traces.base64):
        return True
    bare = re.sub(rf"[{INVISIBLE}]|\\+(?:[nrt]|u\w{{4}})|<w?br ?/?>|&\w+;", "", packed).lower()
    if any(trace in bare for trace in traces.parts):
        return True
    numbers = NUMBERS.sub("", packed).lower()
    return any(trace in numbers for trace in traces.numbers)


class Traces(NamedTuple):
    plain: tuple[str, ...]  # in small letters
    parts: tuple[str, ...]  # of which any telling piece of the key holds one, in small letters
    base64: tuple[str, ...]
    numbers: tuple[str, ...]  # of the key's first characters, without what stands between them


@functools.cache
def _traces(key: str) -> Traces:
    """What a text holds in which the key stands in one of its forms."""
    escaped = {f"\\{char}" for char in key if not char.isalnum()}
    width = _least_piece(key) // 2
    parts = (
        [key[start : start + width].lower() for start in range(0, len(key) - width + 1, width)]
        if len(key) >= LONG_KEY
        else []
    )
    first = key.encode()[:MIN_KEY]
    numbers = (
        first.hex(),
        "".join(str(byte) for byte in first),
        "".join(f"{byte:o}" for byte in first),
        "".join(f"{byte:03o}" for byte in first),
    )
    return Traces((key.lower(), *sorted(escaped)), (key.lower(), *parts), tuple(sorted(_packed(key))), numbers)


@functools.cache
def _pattern(key: str) -> re.Pattern[str]:
    return re.compile("|".join(_forms(key)))


def _least_piece(key: str) -> int:
    """Characters of a long key in a row that are worth hiding without the others: half of it."""
    return max(MIN_KEY * 2, (len(key) + 1) // 2)


def _forms(key: str) -> list[str]:
    """Patterns of all ways in which a key may be written, wherever it stands in what was encoded."""
    is_long = len(key) >= LONG_KEY
    characters = [_character(char) for char in key]
    plain = (BREAK if is_long else "").join(characters)
    data = key.encode()
    numbers = [BETWEEN.join(f"{byte:{form}}" for byte in data) for form in ("02x", "d", "o", "03o")]
    packed = [_over_lines(form) for form in sorted(_packed(key), key=len, reverse=True)]
    pieces = _pieces(key) if is_long else []
    return [
        *packed,
        f"(?{'i' if is_long else '-i'}:{plain})",
        *(rf"(?i:(?:0x|\\+x)?(?<!\d){form}(?!\d))" for form in numbers),
        *pieces,
    ]


def _pieces(key: str) -> list[str]:
    """The beginning, the end or the middle of a key that was cut: so many of its characters in a row as tell it, and all that follow."""
    least = _least_piece(key)
    starts = range(len(key) - least + 1)
    return [re.escape(key[start : start + least]) + _optional(key[start + least :]) for start in starts]


def _optional(rest: str) -> str:
    """As much of some characters as is there."""
    return "".join(f"(?:{re.escape(char)}" for char in rest) + ")?" * len(rest)


def _character(char: str) -> str:
    """A character as it is, and as JSON, URLs (once or twice encoded) and HTML write it."""
    code = "".join(f"%(?:25)?{byte:02x}" for byte in char.encode())
    ways = [
        re.escape(char),
        rf"(?i:{code})",
        rf"(?i:(?<!\\)\\+u{ord(char):04x})",
        rf"(?i:&#x0*{ord(char):x};)",
        rf"&#0*{ord(char)};",
        rf"(?i:\\{{1,4}}x{ord(char):02x})",
        rf"\\{{1,4}}0?{ord(char):o}(?![0-7])",
    ]
    ways += [] if char.isalnum() else [rf"(?<!\\)\\+{re.escape(char)}"]
    ways += [re.escape(NAMED[char])] if char in NAMED else []
    return f"(?:{'|'.join(ways)})"


@functools.cache
def _packed(key: str) -> frozenset[str]:
    """The key in base64, of UTF-16 and twice as well, and in base32: the characters that are the key's alone, wherever it begins."""
    data = key.encode()
    once = {form for text in (data, key.encode("utf-16-le"), key.encode("utf-16-be")) for form in _base64(text)}
    twice = {form for before in range(3) for form in _base64(_inner(data, before).encode())}
    return frozenset({*once, *twice, *(_inner32(data, before) for before in range(5))})


def _base64(data: bytes) -> set[str]:
    """Three bytes are four characters: so there are three ways for the key to begin."""
    return {_inner(data, before) for before in range(3)}


def _inner(data: bytes, before: int) -> str:
    """The characters of base64 that are the key's alone, with so many bytes before it."""
    whole = base64.b64encode(b"\0" * before + data).decode()
    return whole[(8 * before + 5) // 6 : 8 * (before + len(data)) // 6]


def _inner32(data: bytes, before: int) -> str:
    """The same of base32, where five bytes are eight characters."""
    whole = base64.b32encode(b"\0" * before + data).decode()
    return whole[(8 * before + 4) // 5 : 8 * (before + len(data)) // 5]


def _over_lines(form: str) -> str:
    """A pattern of a form in lines of 76 characters, with one more letter where the key ends inside one, and the marks of its end."""
    letters = [{"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in form]
    return r"(?:\\n|\s)*+".join(letters) + r"(?:[A-Za-z0-9]?=+)?"
