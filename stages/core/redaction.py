"""What must reach no file, message or table: the keys of servers, in any form; and, on a terminal, escape codes.

A server may repeat what it was sent, in an error or in a text that it writes; a file may hold anything.
"""

import base64
import functools
import os
import re

KEYS = ("OPENAI_API_KEY", "NINECHAPTERS_SERVER_KEY")
LONG_KEY = 16  # characters from which on a key is looked for whatever it is made of, and in either case
MIN_KEY = 6
NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}  # in HTML
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # but tab and line feed


def scrub(text: str) -> str:
    """The text without the keys that the environment holds: plain, quoted, escaped, in hexadecimal or base64; and without lone
    surrogates, which no file can hold.

    >>> import os; os.environ["NINECHAPTERS_SERVER_KEY"] = "sk-secret/1"
    >>> scrub("Bearer sk-secret/1 is wrong; /login?key=sk-secret%2F1")
    'Bearer [key] is wrong; /login?key=[key]'
    >>> del os.environ["NINECHAPTERS_SERVER_KEY"]
    """
    keys = tuple(key for name in KEYS if is_secret(key := os.environ.get(name, "").strip()))
    return _pattern(keys).sub("[key]", _storable(text)) if keys else _storable(text)


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


@functools.cache
def _pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(form for key in keys for form in _forms(key)))


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
        rf"(?i:\\u{ord(char):04x})",
        rf"(?i:&#x0*{ord(char):x};)",
        rf"&#0*{ord(char)};",
    ]
    ways += [] if char.isalnum() else [re.escape(f"\\{char}")]
    ways += [re.escape(NAMED[char])] if char in NAMED else []
    return f"(?:{'|'.join(ways)})"


def _base64(data: bytes) -> list[str]:
    """Three bytes are four characters: so there are three ways for the key to begin, and it ends or something follows."""
    forms = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode()
        begin = (8 * before + 5) // 6
        inner = whole[begin : 8 * (before + len(data)) // 6]
        for form in (whole[begin:], whole[begin:].rstrip("="), inner):
            letters = [{"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in form]
            forms.append(r"(?:\\n|\s)*".join(letters))  # lines of 76 characters
    return sorted(set(forms), key=len, reverse=True)
