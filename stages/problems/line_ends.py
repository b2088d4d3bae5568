r"""Ends of lines, whatever a teacher wrote for them: carriage returns, separators of Unicode, or the two characters `\n`.

with_line_feeds("7\r\n8\u20289")             -> "7\n8\n9"
with_line_feeds(r"[Problem]\n3+4?\n[Solution]...")  -> "[Problem]\n3+4?\n[Solution]..."
"""

import json
import re

# A run of carriage returns is looked at where it begins alone: else a long one takes the square of its length.
OTHER_ENDS = re.compile(r"(?<!\r)\r+\n|[\r\x0b\x0c\x85\u2028\u2029]")
TAG = r"\[(?:Problem|Solution|End)\]"
WRITTEN_OUT = re.compile(rf"{TAG}[ \t]{{0,9}}\\n|\\n[ \t]{{0,9}}{TAG}")
ESCAPED_COMMAND = re.compile(r"\\\\[A-Za-z]")
# `\n` that begins no command of LaTeX.
LINE_FEED = re.compile(
    r"(?:\\r)?\\n(?!(?:abla|atural|earrow|warrow|eg|eq?|ewline|exists|i|less|gtr|[lg]eq|mid|onumber|ot|otin|parallel|sim|cong|subset|supset"
    r"|subseteq|supseteq|u)(?![A-Za-z]))"
)
AFTER_TAG = re.compile(rf"({TAG}[ \t]{{0,9}})(?:\\r)?\\n")
BEFORE_TAG = re.compile(rf"(?:\\r)?\\n([ \t]{{0,9}}{TAG})")


def with_line_feeds(text: str) -> str:
    """The text with one line feed for each end of a line."""
    text = OTHER_ENDS.sub("\n", text)
    if not WRITTEN_OUT.search(text):
        return text
    if "\n" in text.strip():
        return BEFORE_TAG.sub(r"\n\1", AFTER_TAG.sub(r"\1\n", text)).strip()
    return _unescaped(text.strip())


def _unescaped(text: str) -> str:
    """One line that was meant as several: a string of JSON where its commands have two backslashes, else with `\\n` written out."""
    if ESCAPED_COMMAND.search(text) or text[0] == text[-1] == '"':
        try:
            return str(json.loads(f'"{text.removeprefix(chr(34)).removesuffix(chr(34))}"', strict=False))
        except ValueError:
            pass  # not escaped as JSON has it
    return LINE_FEED.sub("\n", text)
