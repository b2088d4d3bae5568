"""Where a record keeps what a loader needs, under whatever name and in whatever form its publisher gave it.

    field({"Problem": "Q?", "category": "gain"}, "problem", "question")   -> "Q?"
    choice({"query": "Q?", "choices": ["(A)3", "(B)4"], "gold": [1]})     -> (["3", "4"], "B")

Names count without case, spaces, hyphens and underscores; of several the first that is there and not null.
"""

import ast
import re
from typing import Any

from stages.core.schemas import Row
from stages.problems.answers import LETTERS, letter_of, split_options, without_letters

OPTION_COLUMNS = ("options", "choices", "answer_choices", "candidates")
LABEL_COLUMNS = (
    "correct",
    "correct_option",
    "correct_answer",
    "label",
    "gold",
    "answer_key",
    "answer_idx",
    "answer",
    "target",
)
# How a string of options letters them: (A) x, A) x, A. x, A: x, a ) x.
MARKS = (
    r"(?<!\S)\((?i:{})\)",
    r"(?<!\S){}[).]\s",
    r"(?<!\S){}\)",
    r"(?<!\S){}:\s",
    r"(?<!\w)(?i:{}) ?\) ",
    r"(?<!\S)(?i:{})[.:]\s",
)
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
LETTERED = re.compile(r"\s*\(?([A-Ja-j])\s*[).:]")
LETTER = re.compile(r"\s*[(\[]?\s*([A-Ja-j])\s*[)\].:]?\s*")
LEADING_LETTER = re.compile(r"\s*\(?([A-Ja-j])\s*[).:]\s*(?=\S)")


def field(record: Row, *names: str) -> Any:
    """The value of the first of the names that the record has.

    Raises:
        KeyError: it has none; the error names the first.
    """
    value = optional(record, *names)
    if value is None:
        raise KeyError(names[0])
    return value


def optional(record: Row, *names: str) -> Any:
    """As `field`, but None where the record has none of the names."""
    exact = next((record[name] for name in names if record.get(name) is not None), None)
    if exact is not None:
        return exact
    known = {_plain(name): value for name, value in record.items() if value is not None}
    return next((known[_plain(name)] for name in names if _plain(name) in known), None)


def told(record: Row, *names: str) -> str:
    """As `optional`, as text; empty where there is none. A list of one is its value."""
    value = alone(optional(record, *names))
    return "" if value is None else str(value)


def alone(value: Any) -> Any:
    """The value of a list of one; any other value as it is."""
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", str(name)).lower()


def choice(record: Row, mark: str = "") -> tuple[list[str], str]:
    """The options and the upper-case letter of the right one; `mark` is how the publisher letters a string of options.

    Raises:
        KeyError: the record has no options, or no label.
        ValueError: the options are no list and no lettered string, or the label names none of them.
    """
    options = options_of(record, mark)
    column = next((name for name in LABEL_COLUMNS if optional(record, name) is not None), None)
    if column is None:
        raise KeyError("correct")
    return options, label_letter(optional(record, column), options)


def options_of(record: Row, mark: str = "") -> list[str]:
    """The options' texts, without their letters."""
    given = optional(record, *OPTION_COLUMNS)
    if given is None:
        single = [optional(record, letter, f"option_{letter}", f"choice_{letter}") for letter in LETTERS]
        given = single[: next((i for i, text in enumerate(single) if text is None), len(single))]
        if len(given) < 2:
            raise KeyError(OPTION_COLUMNS[0])
    return listed_options(given, mark)


def listed_options(given: Any, mark: str = "") -> list[str]:
    """Options that are a list, a mapping by letter, a Python or JSON list in a string, or one lettered string."""
    if isinstance(given, dict):  # ARC's {"text": [...], "label": [...]}, or {"A": ..., "B": ...}
        given = (
            given["text"]
            if "text" in given
            else [given[letter] for letter in sorted(given) if given[letter] is not None]
        )
    if isinstance(given, str):
        text = given.strip()
        if not text.startswith("["):
            return _split(text, mark)
        try:
            given = _numpy_list(text) or ast.literal_eval(text)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"the options {text[:80]!r} are not a list") from error
    options = [str(option) for option in given]
    letters = [found.group(1).upper() if (found := LETTERED.match(option)) else "" for option in options]
    is_lettered = len(options) > 1 and letters == list(LETTERS[: len(options)])
    return without_letters(options) if is_lettered else options


def _numpy_list(text: str) -> list[str]:
    """The texts of `['5' '6' '7']`, as NumPy writes what pandas holds; to Python they would be one. [] of another list."""
    quoted = QUOTED.findall(text[1:-1])
    return (
        [ast.literal_eval(one) for one in quoted] if len(quoted) > 1 and not QUOTED.sub("", text[1:-1]).strip() else []
    )


def _split(text: str, first_mark: str) -> list[str]:
    """One string of options: lettered in some way, or one a line."""
    for mark in (first_mark, *MARKS) if first_mark else MARKS:
        try:
            return split_options(text, mark)
        except ValueError:
            continue
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise ValueError(f"no lettered options in {text!r}")
    return lines


def with_places(records: list[Row]) -> list[Row]:
    """The records of a table, whose every cell is text, with labels as numbers where the whole column is of places from 0 on.

    It is where each label is a place among its row's options, and not each the text of one.
    """
    column = (
        next((key for name in LABEL_COLUMNS for key in records[0] if _plain(key) == _plain(name)), "")
        if records
        else ""
    )
    labels = [str(record.get(column, "")).strip() for record in records]
    if not labels or not all(label.isdecimal() for label in labels):
        return records
    try:
        options = [options_of(record) for record in records]
    except (KeyError, ValueError):
        return records
    are_places = all(int(label) < len(texts) for label, texts in zip(labels, options, strict=True))
    are_texts = all(label in texts for label, texts in zip(labels, options, strict=True))
    if not are_places or are_texts:
        return records
    return [{**record, column: int(label)} for record, label in zip(records, labels, strict=True)]


def label_letter(label: Any, options: list[str]) -> str:
    """The letter of a label: a letter in whatever brackets, a place from 0 on, or the option's own text.

    A string of digits is an option's text before it is a place.
    """
    label = alone(label)
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, int) and not isinstance(label, bool):
        return letter_of(LETTERS[label] if 0 <= label < len(LETTERS) else str(label), options)
    text = str(label).strip()
    if found := LETTER.fullmatch(text):
        return letter_of(found.group(1), options)
    same = [place for place, option in enumerate(options) if option.strip() == text]
    if len(same) == 1:
        return LETTERS[same[0]]
    if text.isdecimal():
        return label_letter(int(text), options)
    if found := LEADING_LETTER.match(text):  # "B) 16"
        return letter_of(found.group(1), options)
    return letter_of(text, options)
