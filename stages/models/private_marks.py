"""Characters that stand for parts of a text while a chat template is rendered, and say where these parts came to lie.

    (mark,) = free_marks(1, "a</s>b")
    with_marks("a</s>b", [(1, 5)], {"</s>": mark})     # one character in the place of the token
    without_marks(f"[user]a{mark}b", {"</s>": mark}) == ("[user]a</s>b", [(7, 11)])

A template may trim, repeat or leave out what is said, so nobody knows where it will stand; a character of Unicode's private use goes
through it as it is.
"""

import re
from itertools import chain, islice

from stages.core.command import StageError

PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))  # Unicode's areas of private use


def free_marks(number: int, every: str) -> list[str]:
    """So many characters of private use that are not in the text.

    Raises:
        StageError: it holds too many of them.
    """
    used = set(every)
    marks = list(islice((chr(code) for code in chain(*PRIVATE) if chr(code) not in used), number))
    if len(marks) < number:
        raise StageError(
            f"a chat looks like {number:,} control tokens and leaves {len(marks):,} characters of Unicode's private "
            f"use free to mark them. Remove that text."
        )
    return marks


def with_marks(text: str, spans: list[tuple[int, int]], mark_of: dict[str, str]) -> str:
    """The text with a mark in the place of each span, which lie in order and apart."""
    parts, place = [], 0
    for start, end in spans:
        parts += [text[place:start], mark_of[text[start:end]]]
        place = end
    return "".join([*parts, text[place:]])


def without_marks(text: str, mark_of: dict[str, str]) -> tuple[str, list[tuple[int, int]]]:
    """The text with what the marks stand for, and where that lies."""
    text_of = {mark: text for text, mark in mark_of.items()}
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    for part in re.split(f"([{''.join(text_of)}])", text):
        written = text_of.get(part, part)
        if part in text_of:
            spans.append((length, length + len(written)))
        parts.append(written)
        length += len(written)
    return "".join(parts), spans
