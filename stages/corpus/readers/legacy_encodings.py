r"""The text of a file that may be older than Unicode: UTF-8, UTF-16 and UTF-32 first, then what the file declares, then Latin-1.

    text_of("Théorème".encode("latin-1")) == "Théorème"
    text_of(b"\\usepackage[cp1251]{inputenc} ...")     # as declared; so is <meta charset="koi8-r">

Latin-1 is read as Windows-1252, which has the same letters and typographic quotes where Latin-1 has nothing. Any bytes
would pass for it: so a text counts only if it reads like one, with few accents and no sign within a word.
"""

import codecs
import re

from stages.core.lines import decoded

HEAD_BYTES = 4096  # where a declaration stands
DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w-]+)|\\usepackage\[([\w-]+)\]\{inputenc\}|<\?xml[^>]{0,200}?encoding=[\"']([\w-]+)",
    re.IGNORECASE,
)
LATEX_NAMES = {"latin1": "cp1252", "ansinew": "cp1252", "latin9": "iso8859-15", "applemac": "mac-roman"}
MAX_HIGH_FRAC = 0.25  # of the letters; French and German prose has 2 to 5%, Cyrillic read so over 80%
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[^\x00-\x7f\w’‘·–—\xad](?=[^\W\d_])")


def text_of(content: bytes) -> str:
    """The text, whose lines end with a line feed.

    Raises:
        UnicodeDecodeError: it is none that is known.
    """
    try:
        return decoded(content)
    except UnicodeDecodeError as error:
        for name in (_declared(content[:HEAD_BYTES]), "cp1252"):
            if name and (text := _read(content, name)) is not None:
                return text
        raise error


def _declared(head: bytes) -> str:
    """The encoding that a page or a LaTeX file names; "" where it names none that Python knows, or UTF-8, which it is not."""
    found = DECLARED.search(head)
    name = next((group for group in found.groups() if group), b"").decode().lower() if found else ""
    try:
        name = codecs.lookup(LATEX_NAMES.get(name, name)).name if name else ""
    except LookupError:
        return ""
    return "" if name.startswith("utf") else "cp1252" if name == "iso8859-1" else name


def _read(content: bytes, encoding: str) -> str | None:
    """The text in this encoding; None where it cannot be, or, undeclared, does not read like a text."""
    try:
        text = content.decode(encoding)
    except (UnicodeDecodeError, LookupError, AssertionError):
        return None
    if encoding == "cp1252" and not _is_latin(text):
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_latin(text: str) -> bool:
    letters = [sign for sign in text if sign.isalpha()]
    high = sum(sign > "\x7f" for sign in letters)
    return high <= MAX_HIGH_FRAC * len(letters) and not CONTROL.search(text) and not SIGN_IN_WORD.search(text)
