r"""The option that a response chooses: boxed, named by "the answer is", at a line's start or alone; else by its text.

    extract_choice("It's not A, therefore I think it's B", ["12", "16"])  -> Extraction("B", "option_alone", ...)

The article "a" names no option, nor does the last letter anywhere.
"""

import re
from dataclasses import dataclass, field

from stages.grading.boxes import last_boxes
from stages.grading.equivalence import is_equal
from stages.grading.normalization import plain_words
from stages.grading.responses import NOTHING, NUMBER_IN_TEXT, said_answer, without_denials

LETTERS = "A-J"
MAX_OPTION_CHARS = 400  # of a box that names an option
STYLED = r"[^\w-]{0,8}(?:\\(?:text|mathrm|textbf|mathbf)\s*\{)?[^\w-]{0,8}"
BOXED_LETTER = re.compile(
    rf"{STYLED}(?:option|choice|answer)?[^\w-]{{0,8}}\b([{LETTERS}a-j])[^\w'^]*|{STYLED}([{LETTERS}])\s*[).:](?!\s?[mM]\b).*",
    re.DOTALL | re.IGNORECASE,
)
ANCHORED = (
    re.compile(rf"(?:answer|choice|option|correct one)\s*+(?:is|:|would be|must be|should be|has to be|=)?+\s*+(?:therefore|thus|definitely|for sure|clearly|probably|option|choice|the|letter|[,:\s*\"'$(\[{{-]++|\\(?:text|mathrm|textbf|boxed|mathbf)\{{){{0,20}}+([{LETTERS}])(?![a-zA-Z^_])(?:(?<=['][{LETTERS}])'|(?!'))(?!\.?\s?m\b)(?!\s+(?:is|was|has|cannot|can't)\s)(?!\s*(?:,|and|or)\s*\(?[{LETTERS}]\b(?!\s+(?:is|was)))", re.IGNORECASE),
    re.compile(rf"\b(?:option|choice)\s*+\(?+\s*+([{LETTERS}])\b(?!\.?\s?m\b)", re.IGNORECASE),
)  # fmt: skip
AT_START = re.compile(
    rf"^[^\S\n]*[\"'*(\[]*([{LETTERS}])(?!\.\s?[mM]\b)[\")\].*:]+(?=\s|$)|^[^\S\n]*'([{LETTERS}])'|^[^\S\n]*\(?([{LETTERS}])\)?[^\S\n]*$|^[^\S\n]*([{LETTERS}])\s+(?=[A-Z\d$\\])",
    re.MULTILINE,
)
STANDING = re.compile(r"(?<![\w'’$\\-])\(?([A-J])\)?(?![\w'’^]|-\w)(?!\.?\s?[mM]\b)")
WHOLE = re.compile(r"[^\w-]*\(?([A-Ja-j])\)?[.)\s*]*")
AFTER_OPTION = re.compile(r"\s+(?:because|since|as|and|but|so|or|is)\b")
LONG_WORD = re.compile(r"[a-zA-Z\\\\]{4,}")
WRONG = re.compile(
    r"(?:\b[Oo]ptions?\s+)?\(?\b[A-J]\b\)?(?:\s*(?:,|and|or|, and)\s*\(?[A-J]\b\)?){0,9}[.]?\s+(?:is|are)\s+(?:wrong|incorrect|false|not (?:correct|right|possible))\b"
)
ACCENTED = re.compile(r"\\(?:overline|bar|hat|tilde|vec)\s*(?:\{\s*[A-J]\s*\}|[A-J]\b)")
NOT_OPTION = re.compile(
    r"\b(?:not|isn't|can't be|cannot be|rather than|except)\s+(?:it'?s\s+)?\(?[A-J]\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Extraction:
    answer: str
    rule: str  # boxed, mark, answer_is, formula, last_number, output, option_..., none
    flags: tuple[str, ...] = field(default=())


def extract_choice(text: str, options: list[str]) -> Extraction:
    """The letter of an option, by the first rule that finds one; `text` is what a response says."""
    letters = [chr(ord("A") + i) for i in range(len(options))] or list("ABCDEFGHIJ")
    text = ACCENTED.sub(" ", without_denials(WRONG.sub(" ", text)))
    rules = [_boxed, _anchored, _whole, _said]
    if not NOTHING.match(said_answer(text)):
        rules += [_at_line_start, _alone, _by_value]
    for rule in rules:
        if found := rule(text, letters, options):
            return found
    return Extraction("", "none")


def _boxed(text: str, letters: list[str], options: list[str]) -> Extraction | None:
    box = last_boxes(text)
    found = BOXED_LETTER.fullmatch(box) if len(box) <= MAX_OPTION_CHARS else None
    letter = (found[1] or found[2]).upper() if found else ""
    if letter in letters:
        return Extraction(letter, "option_boxed")
    letter = option_of(box, options) if box else ""
    return Extraction(letter, "option_text") if letter else None


def _anchored(text: str, letters: list[str], _: list[str]) -> Extraction | None:
    for pattern in ANCHORED:
        found = [m[1].upper() for m in pattern.finditer(text) if _names_option(m, text) and m[1].upper() in letters]
        if found:
            return Extraction(found[-1], "option_said")
    return None


def _whole(text: str, letters: list[str], _: list[str]) -> Extraction | None:
    """A text that is a letter in either case: "b)"."""
    found = WHOLE.fullmatch(text)
    return Extraction(found[1].upper(), "option_line") if found and found[1].upper() in letters else None


def _said(text: str, _: list[str], options: list[str]) -> Extraction | None:
    letter = option_of(said_answer(text), options)
    return Extraction(letter, "option_text") if letter else None


def _at_line_start(text: str, letters: list[str], _: list[str]) -> Extraction | None:
    """A line that begins with an option, or is one; more than two of them are a list of all."""
    without = NOT_OPTION.sub(" ", text)
    starts = [letter for m in AT_START.finditer(without) if (letter := next(g for g in m.groups() if g)) in letters]
    if not starts or len(set(starts)) > 2:
        return None
    first = re.match(rf"\s*[(\[]*([{LETTERS}])[)\].:]", without)
    return Extraction(first[1] if first and first[1] in letters else starts[-1], "option_line")


def _alone(text: str, letters: list[str], _: list[str]) -> Extraction | None:
    without = NOT_OPTION.sub(" ", text)
    found = {
        m[1] for m in STANDING.finditer(without) if m[1] in letters and not (m[1] in "AI" and _is_article(m, without))
    }
    return Extraction(found.pop(), "option_alone", ("fallback_option",)) if len(found) == 1 else None


def _by_value(text: str, _: list[str], options: list[str]) -> Extraction | None:
    """The only option whose number is the text's last, or whose words the text says."""
    numbers = NUMBER_IN_TEXT.findall(text)
    words = plain_words(text)
    if numbers:
        places = [i for i, option in enumerate(options) if _numbers_of(option) == [_bare(numbers[-1])]]
    else:
        said = [plain_words(option) for option in options]
        places = [i for i, option in enumerate(said) if option and re.search(rf"\b{re.escape(option)}\b", words)]
    return Extraction(chr(ord("A") + places[0]), "option_value", ("fallback_option",)) if len(places) == 1 else None


def option_of(answer: str, options: list[str]) -> str:
    """The letter of the only option that an answer is, in words or in number; "" if none or several are."""
    said = _comparable(answer)
    places = [i for i, option in enumerate(options) if said and _comparable(option) == said]
    numbers = _numbers_of(answer)
    if not places and len(numbers) == 1 and len(LONG_WORD.findall(answer)) < 3:
        places = [i for i, option in enumerate(options) if _numbers_of(option) == numbers]
    if not places and said and len(LONG_WORD.findall(answer)) < 3:
        places = [i for i, option in enumerate(options) if is_equal(answer, option).correct]
    return chr(ord("A") + places[0]) if len(places) == 1 else ""


def _names_option(match: re.Match[str], text: str) -> bool:
    """Upper case, or lower case that no word follows: "the answer is a number" names no option."""
    letter = match[1]
    after = text[match.end(1) : match.end(1) + 12]
    if letter.isupper():
        return not (letter in "AI" and re.match(r"\s+[a-z]", after) and not AFTER_OPTION.match(after))
    if re.match(r"\s*\)?\s*is (?:the )?(?:correct|right|answer)", text[match.end(1) :]):
        return True
    return not re.match(r"\s*[a-z]", after.lstrip(" )].*\"'") if letter in "ai" else after)


def _is_article(match: re.Match[str], text: str) -> bool:
    after = text[match.end(1) : match.end(1) + 12]
    return bool(re.match(r"\s+[a-z]", after)) and "(" not in match[0] and not AFTER_OPTION.match(after)


def _numbers_of(text: str) -> list[str]:
    return [_bare(number) for number in NUMBER_IN_TEXT.findall(text)]


def _bare(number: str) -> str:
    text = number.replace(",", "").replace("$", "").rstrip(".%")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _comparable(answer: str) -> str:
    return re.sub(r"[\s,$\\]", "", plain_words(answer))
