"""The loader of a benchmark of one's own: a record is a problem and its answer, under the names that data sets use."""

import re
from typing import Any

from stages.benchmarks.loaders.fields import OPTION_COLUMNS, alone, optional, options_of
from stages.core.schemas import Row
from stages.grading.boxes import last_boxes
from stages.grading.responses import HASHES, said_answer
from stages.problems.answers import CHOICE, EXPRESSION, IS_NUMBER, NUMBER, plain_number, row
from stages.problems.foreign_problems import problem_of
from stages.problems.grammar import Rejection

ANSWER_NAMES = ("answer", "final_answer", "expected_answer", "reference_answer", "ground_truth", "target")
MAX_ANSWER_CHARS = 300
LETTER = re.compile(r"\(?([A-J])\)?")  # of an option
WORD = re.compile(r"(?<![\\\w])[^\W\d_]{2,}")


def load_plain(record: Row) -> Row:
    r"""A problem with its answer, or with a solution that says which its answer is.

        {"problem": "What is $3+4$?", "answer": "7"}, or 7, or [7]
        {"question": ..., "answer": "3+4=7\n#### 7"}       {"prompt": ..., "completion": "Adding gives $\\boxed{7}$."}
        {"instruction": ..., "input": ..., "output": "The answer is 7."}

    A number is graded as a number, a letter from A to J as an option, anything else as an expression; a list of several is one
    answer of several parts.

    Raises:
        ValueError: there is no problem or no answer; a solution does not say which its answer is; or there are options.
    """
    _refuse_options(record)
    given = next((one for name in ANSWER_NAMES if (one := alone(optional(record, name))) not in (None, "", [])), None)
    read = problem_of(record if given is None else record | {"answer": _answer_text(given)})
    if isinstance(read, Rejection):
        raise ValueError(f"{read.reason}: {read.detail}")
    problem, solution = read
    final = _final_answer(_answer_text(given) if given is not None else solution, given is not None)
    answer, kind = _typed(final)
    return row(problem, answer, kind, solution="" if solution == final else solution)


def _typed(answer: str) -> tuple[str, str]:
    if IS_NUMBER.fullmatch(answer):
        return plain_number(answer), NUMBER
    letter = LETTER.fullmatch(answer)
    return (letter[1], CHOICE) if letter else (answer, EXPRESSION)


def _refuse_options(record: Row) -> None:
    try:
        has_options = bool(options_of(record))
    except KeyError:
        return
    except ValueError:
        has_options = bool(optional(record, *OPTION_COLUMNS))
    if has_options:
        raise ValueError("it has options, which the kinds aqua, mathqa, mmlu_stem and sat_math read")


def _answer_text(given: Any) -> str:
    parts = given if isinstance(given, (list, tuple)) else [given]
    if not all(isinstance(part, (str, int, float)) and part == part for part in parts):
        raise ValueError(f"the answer {str(given)[:MAX_ANSWER_CHARS]} is no text and no number")
    return ", ".join(str(part).strip() for part in parts)


def _final_answer(text: str, is_answer: bool) -> str:
    """What a text says that the answer is; the text itself where it is short, in a column of answers or no sentence."""
    marked = HASHES.findall(text)
    if said := last_boxes(text) or (marked[-1] if marked else said_answer(text)):
        return said.strip()
    if len(text) <= MAX_ANSWER_CHARS and "\n" not in text and (is_answer or len(WORD.findall(text)) < 3):
        return text
    raise ValueError(
        f"no final answer in {text[:80]!r}: write it as \\boxed{{...}}, behind ####, or in a column `answer`"
    )
