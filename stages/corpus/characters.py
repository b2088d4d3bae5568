r"""Characters: what prints nothing goes out, every kind of line end and space becomes one that the rules after it know.

    plain_characters("e\u0301tale \u200bmap\x0cnext page")  ->  "étale map\nnext page"

Text is brought to NFC, never to a compatibility form: x² stays x². What separates words becomes white space; only what
a reader does not see is deleted.
"""

import re
import unicodedata

LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028]")
PARAGRAPH_END = "\u2029"
SEPARATORS = re.compile("[\x1c-\x1f\ufffc]")  # file, group, record, unit; the place of an embedded object
HYPHENATION = re.compile("\u00ad[ \t]*\n[ \t]*(?=[^\\W\\d_])")  # a word parted at the line's end by a soft hyphen
# A joiner shapes the letters of Arabic and of India, and emoji; elsewhere it prints nothing.
JOINER = re.compile("(?<![\u0600-\u1fff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]")
# Control characters, soft hyphens, marks of direction, zero-width spaces, invisible operators, byte-order marks.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
SURROGATE = re.compile("[\ud800-\udfff]")
# Bytes 80 to 9f read as Latin-1 are Windows' quotation marks and dashes, as in HTML; 85 is Unicode's own line end.
WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0) if code != 0x85}


def plain_characters(text: str) -> str:
    """The text in NFC with "\\n" for line ends, without invisible characters; a lone surrogate becomes U+FFFD."""
    if text.isascii():
        return _without_controls(text)
    text = SURROGATE.sub("\ufffd", unicodedata.normalize("NFC", text.translate(WINDOWS)))
    return JOINER.sub("", _without_controls(text.replace(PARAGRAPH_END, "\n\n")))


def _without_controls(text: str) -> str:
    text = SEPARATORS.sub(" ", LINE_ENDS.sub("\n", text))
    return INVISIBLE.sub("", HYPHENATION.sub("", text) if "\u00ad" in text else text)
