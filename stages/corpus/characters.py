r"""Characters: what prints nothing goes out, every kind of line end and space becomes one that the rules after it know.

    plain_characters("e\u0301tale \u200bmap\x0cnext page")  ->  "étale map\nnext page"

Text is brought to NFC, never to a compatibility form: x² stays x². What separates words becomes white space; only what
a reader does not see is deleted.
"""

import re
import unicodedata

# All that is changed below; most texts hold none of it.
ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffc\ufffe\uffff]"
)
LINE_ENDS = re.compile("[\x0b\x0c\x85\u2028]")
PARAGRAPH_END = "\u2029"
SEPARATORS = re.compile("[\x1c-\x1f\ufffc]")  # file, group, record, unit; the place of an embedded object
HYPHENATION = re.compile("\u00ad[ \t]*\n[ \t]*(?=[^\\W\\d_])")  # a word parted at the line's end by a soft hyphen
# A joiner shapes the letters of Arabic and of India, and emoji; elsewhere it prints nothing.
JOINER = re.compile("(?<![\u0600-\u1fff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]")
# Control characters, soft hyphens, marks of direction, zero-width spaces, invisible operators, byte-order marks.
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
SURROGATE = re.compile("[\ud800-\udfff]")
# Bytes 80 to 9f read as Latin-1 are Windows' quotation marks and dashes, as in HTML; 85 is Unicode's own line end.
WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0) if code != 0x85}


def plain_characters(text: str) -> str:
    """The text in NFC with "\\n" for line ends, without invisible characters; a lone surrogate becomes U+FFFD."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not ODD.search(text):
        return text
    text = LINE_ENDS.sub("\n", SURROGATE.sub("\ufffd", text).translate(WINDOWS).replace(PARAGRAPH_END, "\n\n"))
    return JOINER.sub("", INVISIBLE.sub("", HYPHENATION.sub("", SEPARATORS.sub(" ", text))))
