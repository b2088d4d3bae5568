"""Cleaning a document and cutting it into snippets at sentence borders.

clean("<p>Add  3 and 4.</p>") -> "Add 3 and 4."
cut(text, max_chars=160) -> ["Add 3 and 4.", ...]   # never inside a word or a sentence
"""

import re
import unicodedata

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
LATEX_PREAMBLE = re.compile(r"\A.*?\\begin\{document\}", re.DOTALL)
LATEX_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9$\\(\[\"'])")


def clean(text: str) -> str:
    """NFC, no control characters, tags, LaTeX preamble or comments, and single spaces; paragraphs are kept."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    text = CONTROL.sub("", FRONT_MATTER.sub("", text))
    if "\\begin{document}" in text:
        text = LATEX_COMMENT.sub("", LATEX_PREAMBLE.sub("", text))
    text = TAG.sub(" ", text)
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def cut(text: str, min_chars: int, max_chars: int, max_snippets: int) -> list[str]:
    """Whole sentences packed into snippets of at most `max_chars`; sentences that are longer are left out."""
    snippets: list[str] = []
    for paragraph in text.split("\n\n"):
        current = ""
        for sentence in SENTENCE_END.split(paragraph):
            joined = f"{current} {sentence}".strip()
            if len(joined) <= max_chars:
                current = joined
                continue
            snippets.append(current)
            current = sentence if len(sentence) <= max_chars else ""
        snippets.append(current)
    return [snippet for snippet in snippets if len(snippet) >= min_chars][:max_snippets]


def text_fault(text: str) -> str | None:
    """Why a snippet is no text to teach from, or None: `no_words` when less than half of it is letters."""
    letters = sum(character.isalpha() for character in text)
    return "no_words" if letters < 0.5 * len(text) else None
