"""What must reach no file, message or table: the keys of servers, in any form; and, on a terminal, escape codes.

A server may repeat what it was sent, in an error or in a text that it writes; a file may hold anything.
"""

import base64
import functools
import html
import json
import os
import re
import urllib.parse

KEYS = ("OPENAI_API_KEY", "NINECHAPTERS_SERVER_KEY")
MIN_KEY_CHARS = 5  # a shorter one, such as `none`, is no secret
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # but tab and line feed


def scrub(text: str) -> str:
    """The text without the keys that the environment holds: plain, quoted, escaped, in hexadecimal or base64.

    >>> import os; os.environ["NINECHAPTERS_SERVER_KEY"] = "sk-secret/1"
    >>> scrub("Bearer sk-secret/1 is wrong; /login?key=sk-secret%2F1")
    'Bearer [key] is wrong; /login?key=[key]'
    >>> del os.environ["NINECHAPTERS_SERVER_KEY"]
    """
    keys = tuple(key for name in KEYS if len(key := os.environ.get(name, "").strip()) >= MIN_KEY_CHARS)
    return _pattern(keys).sub("[key]", text) if keys else text


@functools.cache
def _pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    forms = {form for key in keys for form in forms_of(key)}
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), re.IGNORECASE)


def forms_of(key: str) -> set[str]:
    """How a key may be written, wherever it stands in what was encoded."""
    data = key.encode()
    forms = {
        key, urllib.parse.quote(key, safe=""), urllib.parse.quote(key), urllib.parse.quote_plus(key), html.escape(key),
        json.dumps(key)[1:-1], repr(key)[1:-1], "".join(f"\\u{ord(char):04x}" for char in key), data.hex(),
    }  # fmt: skip
    for before in range(3):  # base64 writes three bytes as four characters: three ways for the key to begin
        whole = base64.b64encode(b"\0" * before + data).decode()
        begin = (8 * before + 5) // 6
        inner = whole[begin : 8 * (before + len(data)) // 6]
        for form in (inner, whole[begin:], whole[begin:].rstrip("=")):  # something follows, or the key is the end
            forms |= {form, form.replace("+", "-").replace("/", "_")}
    return forms


def printable(text: str) -> str:
    r"""The text with control characters written out, so that nobody's words move the cursor or colour a terminal.

    >>> printable("red \x1b[31m alarm")
    'red \\x1b[31m alarm'
    """
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
