"""Loaders of word problems: each takes one record as published and gives a row of the table `benchmarks`."""

import re
from typing import Any

from stages.benchmarks.loaders.fields import alone, field, label_letter, listed_options, optional, told
from stages.core.schemas import Row
from stages.problems.answers import CHOICE, IS_NUMBER, LETTERS, NUMBER, TEXT, plain_number, row


def load_gsm8k(record: Row) -> Row:
    r"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): 1,319 test and 7,473 training problems.

        {"question": "Natalia sold clips to 48 ...", "answer": "She sold 48/2 = <<48/2=24>>24 ...\n#### 72"}

    The calculator's marks are taken out; the number after #### is the answer.
    """
    solution, mark, answer = field(record, "answer", "solution").rpartition("####")
    if not mark:
        raise ValueError("the answer has no '####'")
    return row(
        field(record, "question", "problem", "input"), plain_number(answer), NUMBER,
        solution=re.sub(r"<<.*?>>", "", solution), subject="word problems",
    )  # fmt: skip


def load_gsm_hard(record: Row) -> Row:
    r"""GSM-Hard (Gao et al. 2022, arXiv 2211.10435): GSM8K's 1,319 test problems with large numbers.

        {"input": "A robe takes 2287720 bolts ...", "code": "def solution(): ...", "target": 3431580.0}

    303 targets are no integers and 146 are negative, where the numbers were exchanged without regard to sense.
    """
    return row(
        field(record, "input", "question", "problem"), plain_number(alone(field(record, "target", "answer"))), NUMBER,
        solution=told(record, "code", "solution"), subject="word problems",
    )  # fmt: skip


def load_svamp(record: Row) -> Row:
    """SVAMP (Patel et al. 2021, arXiv 2103.07191): 1,000 problems.

    {"Body": "There are 87 oranges and 290 bananas in ...", "Question": "How big is each group?", "Answer": 145.0,
     "Equation": "( 290.0 / 2.0 )", "Type": "Common-Division"}

    A body often ends without its full stop. Copies that give the answer as a string, or both parts as one question, are read too.
    """
    body = told(record, "Body").strip()
    question = str(
        field(record, "Question", "question_concat", "input")
        if body
        else field(record, "question_concat", "Question", "input")
    )
    body = body if not body or body.endswith((".", "?", "!")) else f"{body}."
    return row(
        f"{body} {question.strip()}", plain_number(alone(field(record, "Answer", "target", "result_float"))), NUMBER,
        solution=told(record, "Equation"), subject=told(record, "Type"),
    )  # fmt: skip


def load_asdiv(record: Row) -> Row | None:
    """ASDiv (Miao et al. 2020, arXiv 2106.15772): 2,305 problems, 2,215 with a single answer; the others are passed over.

    {"body": "Seven red apples ...", "question": "How many apples ...?", "solution_type": "Addition",
     "answer": "9 (apples)", "formula": "7+2=9"}

    Several answers are parted by semicolons. The unit in brackets is taken off; 59 of 2,215 answers are no number, 61 are times or
    ratios with a colon.
    """
    given = str(alone(field(record, "answer", "result")))
    if ";" in given:
        return None
    answer = re.sub(r"\s*\([^()]*\)\s*$", "", given).strip()
    is_number = bool(IS_NUMBER.fullmatch(answer))
    return row(
        f"{told(record, 'body').strip()} {str(field(record, 'question')).strip()}", plain_number(answer) if is_number else answer,
        NUMBER if is_number else TEXT, solution=told(record, "formula"), subject=told(record, "solution_type"),
    )  # fmt: skip


def load_mawps(record: Row) -> Row:
    """MAWPS (Koncel-Kedziorski et al. 2016), in the release's choice of 2,065: four sets, named by `type`.

    {"input": "Joan found 70 seashells on the beach. ...", "target": 43.0, "type": "singleeq"}

    Other copies: Calc-X {"question": "...", "chain": "<gadget ...", "result": "43", "result_float": 43.0, "equation": "x=70-27"};
    the authors' {"sQuestion": "...", "lSolutions": [43.0]}; one with the numbers apart {"Question": "Joan found N_00 ...",
    "Numbers": "70 27", "Answer": 43.0}.
    """
    problem = str(field(record, "input", "question", "sQuestion", "original_text", "problem"))
    numbers = told(record, "numbers").split()
    problem = (
        re.sub(r"\bN_(\d+)\b", lambda place: plain_number(numbers[int(place.group(1))]), problem)
        if numbers
        else problem
    )
    answer = alone(field(record, "target", "result_float", "answer", "result", "lSolutions", "ans"))
    return row(problem, plain_number(answer), NUMBER, solution=told(record, "equation"), subject=told(record, "type"))


def load_tabmwp(record: Row) -> Row:
    """TabMWP (Lu et al. 2022, arXiv 2209.14610): the fixed 1,000 of `problems_test1k.json`; 7,686 in the whole test set.

    {"question": "What is the mean of the numbers?", "choices": null, "answer": "84", "unit": null,
     "table_title": "Coin collections", "table": "Name | Number of coins\\nBraden | 76 ...", "solution": "...",
     "ans_type": "integer_number", "grade": 5}

    `choices` may be a string of a Python list. The table stands before the question; an answer that is one of the choices is the choice's letter.
    """
    title = f"Table: {told(record, 'table_title')}\n" if told(record, "table_title") else ""
    unit = f" (unit: {told(record, 'unit')})" if told(record, "unit") else ""
    problem = f"{title}{field(record, 'table')}\n\n{field(record, 'question')}{unit}"
    answer, given = str(alone(field(record, "answer", "result"))).strip(), optional(record, "choices")
    choices = listed_options(given) if given is not None and len(given) and given != "None" else []
    known: dict[str, Any] = {
        "solution": told(record, "solution"), "subject": told(record, "ans_type"), "level": told(record, "grade"),
    }  # fmt: skip
    if choices:
        letter = LETTERS[choices.index(answer)] if answer in choices else label_letter(field(record, "answer"), choices)
        return row(problem, letter, CHOICE, options=choices, **known)
    is_number = bool(IS_NUMBER.fullmatch(answer))
    return row(problem, plain_number(answer) if is_number else answer, NUMBER if is_number else TEXT, **known)
