"""What must reach no file, message or table: the keys of servers, in any form; and, on a terminal, escape codes.

A server may repeat what it was sent, in an error or in a text that it writes; a file may hold anything.
"""

import base64
import functools
import os
import re
from typing import NamedTuple

KEYS = ("OPENAI_API_KEY", "NINECHAPTERS_SERVER_KEY")
LONG_KEY = 16  # characters from which on a key is looked for whatever it is made of, and in either case
MIN_KEY = 6
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}  # in HTML
MIN_SHOWN = 6  # letters of a key beside a mask that tell something of it
STARS = "[*\u2022\u25cf\u2217]"
# A mask begins where its run of characters does: else a reply of a million stars would take a million times a million steps.
RUNS = rf"(?<!{STARS}){STARS}{{3,}}|(?<!\.)\.{{3,}}|(?<!\u2026)\u2026+|(?<![xX])[xX]{{4,}}|(?<!#)#{{3,}}"
MASK = rf"(?:{RUNS}|[\[<](?:redacted|hidden|masked)[>\]])"
MASKS = ("***", "\u2022\u2022\u2022", "\u25cf\u25cf\u25cf", "\u2217\u2217\u2217", "...", "\u2026", "xxxx", "XXXX", "###", "redacted", "hidden",
         "masked")  # fmt: skip
ENCODED = re.compile(r"%(?:25)?[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|&(?:#|amp|lt|gt|quot|apos)")
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
        if _may_hold(text, key):
            text = _pattern(key).sub("[key]", text)
        if any(mask in text for mask in MASKS):
            text = _masked(key).sub("[key]", text)
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
    return traces.octets in packed.replace(":", "").replace(",", "").lower()


class Traces(NamedTuple):
    plain: tuple[str, ...]  # in small letters
    base64: tuple[str, ...]
    octets: str


@functools.cache
def _traces(key: str) -> Traces:
    """What a text holds in which the key stands in one of its forms."""
    escaped = {f"\\{char}" for char in key if not char.isalnum()}
    data = key.encode()
    return Traces((key.lower(), *sorted(escaped)), tuple(_inner(data, before) for before in range(3)), data.hex())


@functools.cache
def _pattern(key: str) -> re.Pattern[str]:
    return re.compile("|".join(_forms(key)))


@functools.cache
def _masked(key: str) -> re.Pattern[str]:
    """The key with its middle, its end or its beginning hidden, as in `sk-ab...yz12`: as much as tells something."""
    vendor = re.match(r"(?:[A-Za-z]{1,6}[-_]){0,3}", key)
    least = max(MIN_SHOWN, (vendor.end() if vendor else 0) + 2)
    begins = "|".join(re.escape(key[:end]) for end in range(len(key) - 1, 1, -1))
    ends = "|".join(re.escape(key[start:]) for start in range(1, len(key) - 1))
    long_begins = "|".join(re.escape(key[:end]) for end in range(len(key) - 1, least - 1, -1))
    long_ends = [key[start:] for start in range(1, len(key) - 3)]
    telling = "|".join(re.escape(end) for end in long_ends if len(end) >= MIN_SHOWN or not end.isalpha())
    forms = [rf"(?:{begins}){MASK}(?:{ends})"]
    if len(key) >= LONG_KEY:
        forms.append(rf"{re.escape(key[0])}{STARS}{{6,100}}{re.escape(key[-1])}(?!\w)")
    forms += [rf"(?:{long_begins}){MASK}"] if long_begins else []
    forms += [rf"{MASK}(?:{telling})(?!\w)"] if telling else []
    return re.compile("|".join(forms))


def _forms(key: str) -> list[str]:
    """Patterns of all ways in which a key may be written, wherever it stands in what was encoded."""
    flags = "i" if len(key) >= LONG_KEY else "-i"
    plain = "".join(_character(char) for char in key)
    octets = r"[:\s,]{0,2}".join(f"{byte:02x}" for byte in key.encode())
    return [*_base64(key.encode()), f"(?{flags}:{plain})", f"(?i:{octets})"]


def _character(char: str) -> str:
    """A character as it is, and as JSON, URLs (once or twice encoded) and HTML write it."""
    code = "".join(f"%(?:25)?{byte:02x}" for byte in char.encode())
    ways = [
        re.escape(char),
        rf"(?i:{code})",
        rf"(?i:(?<!\\)\\+u{ord(char):04x})",
        rf"(?i:&#x0*{ord(char):x};)",
        rf"&#0*{ord(char)};",
    ]
    ways += [] if char.isalnum() else [rf"(?<!\\)\\+{re.escape(char)}"]
    ways += [re.escape(NAMED[char])] if char in NAMED else []
    return f"(?:{'|'.join(ways)})"


def _base64(data: bytes) -> list[str]:
    """Three bytes are four characters: so there are three ways for the key to begin, and it ends or something follows."""
    forms = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode()
        begin = (8 * before + 5) // 6
        for form in (whole[begin:], whole[begin:].rstrip("="), _inner(data, before)):
            letters = [{"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in form]
            forms.append(r"(?:\\n|\s)*".join(letters))  # lines of 76 characters
    return sorted(set(forms), key=len, reverse=True)


def _inner(data: bytes, before: int) -> str:
    """The characters of base64 that are the key's alone, with so many bytes before it."""
    whole = base64.b64encode(b"\0" * before + data).decode()
    return whole[(8 * before + 5) // 6 : 8 * (before + len(data)) // 6]
