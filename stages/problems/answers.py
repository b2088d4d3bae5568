"""What the loaders share: writing a reference answer, and taking apart options."""

import re
from fractions import Fraction

from stages.core.schemas import Row

LETTERS = "ABCDEFGHIJ"
NUMBER, EXPRESSION, CHOICE, TEXT = "number", "expression", "choice", "text"
IS_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def plain_number(value: object) -> str:
    """A number as people write it: 43.0 is 43, 1,200 is 1200, 1/2 stays a fraction; anything else is an error."""
    text = str(value).strip().replace(",", "")
    if re.fullmatch(r"-?\d+/0*[1-9]\d*", text):
        return str(Fraction(text))
    number = float(text)  # ValueError names the text
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(f"the answer {value!r} is not a finite number")
    return str(int(number)) if number.is_integer() else text


def row(
    problem: str,
    answer: str,
    kind: str,
    *,
    solution: str = "",
    subject: str = "",
    level: str = "",
    options: list[str] | None = None,
) -> Row:
    """A row of the table `benchmarks`, still without its benchmark and index."""
    if not problem.strip() or not answer.strip():
        raise ValueError("the problem or the answer is empty")
    return {
        "problem": problem.strip(), "options": options or [], "solution": solution.strip(), "answer": answer.strip(),
        "kind": kind, "subject": subject, "level": level,
    }  # fmt: skip


def without_letters(options: list[str]) -> list[str]:
    """`A)12`, `(B) 16`, `c ) 18`, `D. 20` and `E: 22` as 12, 16, 18, 20 and 22."""
    return [
        re.sub(r"^\s*\(?[A-Ja-j](?:\s*\)\s*|[.:]\s+)", "", option).strip().rstrip(",").strip() for option in options
    ]


def split_options(text: str, mark: str) -> list[str]:
    """One string of lettered options, cut before each next letter; `mark` is a letter's regular expression, {} the letter."""
    starts: list[int] = []
    position = 0
    for letter in LETTERS:
        found = re.compile(mark.format(letter)).search(text, position)
        if not found:
            break
        starts.append(found.start())
        position = found.end()
    if len(starts) < 2:
        raise ValueError(f"no lettered options in {text!r}")
    return without_letters([text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)])


def letter_of(answer: str, options: list[str]) -> str:
    """The upper-case letter, checked to name an option."""
    letter = answer.strip().upper()
    if len(letter) != 1 or letter not in LETTERS[: len(options)]:
        raise ValueError(f"the answer {answer!r} names none of {len(options)} options")
    return letter
