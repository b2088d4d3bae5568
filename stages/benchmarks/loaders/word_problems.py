"""Loaders of word problems: each takes one record as published and gives a row of the table `benchmarks`."""

import re

from stages.core.schemas import Row
from stages.problems.answers import CHOICE, IS_NUMBER, LETTERS, NUMBER, TEXT, plain_number, row


def load_gsm8k(record: Row) -> Row:
    r"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): 1,319 test and 7,473 training problems.

        {"question": "Natalia sold clips to 48 ...", "answer": "She sold 48/2 = <<48/2=24>>24 ...\n#### 72"}

    The calculator's marks are taken out; the number after #### is the answer.
    """
    solution, mark, answer = record["answer"].rpartition("####")
    if not mark:
        raise ValueError("the answer has no '####'")
    return row(
        record["question"], plain_number(answer), NUMBER,
        solution=re.sub(r"<<.*?>>", "", solution), subject="word problems",
    )  # fmt: skip


def load_gsm_hard(record: Row) -> Row:
    r"""GSM-Hard (Gao et al. 2022, arXiv 2211.10435): GSM8K's 1,319 test problems with large numbers.

        {"input": "A robe takes 2287720 bolts ...", "code": "def solution(): ...", "target": 3431580.0}

    303 targets are no integers and 146 are negative, where the numbers were exchanged without regard to sense.
    """
    return row(
        record["input"], plain_number(record["target"]), NUMBER, solution=record["code"], subject="word problems"
    )


def load_svamp(record: Row) -> Row:
    """SVAMP (Patel et al. 2021, arXiv 2103.07191): 1,000 problems.

    {"Body": "There are 87 oranges and 290 bananas in ...", "Question": "How big is each group?", "Answer": 145.0,
     "Equation": "( 290.0 / 2.0 )", "Type": "Common-Division"}

    A body often ends without its full stop.
    """
    body = record["Body"].strip()
    body = body if body.endswith((".", "?", "!")) else f"{body}."
    return row(
        f"{body} {record['Question'].strip()}", plain_number(record["Answer"]), NUMBER,
        solution=str(record["Equation"]), subject=str(record["Type"]),
    )  # fmt: skip


def load_asdiv(record: Row) -> Row:
    """ASDiv (Miao et al. 2020, arXiv 2106.15772): 2,305 problems, 2,215 with a single answer.

    {"body": "Seven red apples ...", "question": "How many apples ...?", "solution_type": "Addition",
     "answer": "9 (apples)", "formula": "7+2=9"}

    The unit in brackets is taken off; 59 of 2,215 answers are no number, 61 are times or ratios with a colon.
    """
    answer = re.sub(r"\s*\([^()]*\)\s*$", "", str(record["answer"])).strip()
    is_number = bool(IS_NUMBER.fullmatch(answer))
    return row(
        f"{record['body'].strip()} {record['question'].strip()}", plain_number(answer) if is_number else answer,
        NUMBER if is_number else TEXT, solution=record["formula"], subject=record["solution_type"],
    )  # fmt: skip


def load_mawps(record: Row) -> Row:
    """MAWPS (Koncel-Kedziorski et al. 2016), in the release's choice of 2,065: four sets, named by `type`.

    {"input": "Joan found 70 seashells on the beach. ...", "target": 43.0, "type": "singleeq"}
    """
    return row(record["input"], plain_number(record["target"]), NUMBER, subject=str(record.get("type", "")))


def load_tabmwp(record: Row) -> Row:
    """TabMWP (Lu et al. 2022, arXiv 2209.14610): the fixed 1,000 of `problems_test1k.json`; 7,686 in the whole test set.

    {"question": "What is the mean of the numbers?", "choices": null, "answer": "84", "unit": null,
     "table_title": "Coin collections", "table": "Name | Number of coins\\nBraden | 76 ...", "solution": "...",
     "ans_type": "integer_number", "grade": 5}

    The table stands before the question; an answer that is one of the choices is the choice's letter.
    """
    title = f"Table: {record['table_title']}\n" if record.get("table_title") else ""
    unit = f" (unit: {record['unit']})" if record.get("unit") else ""
    problem = f"{title}{record['table']}\n\n{record['question']}{unit}"
    answer, choices = str(record["answer"]).strip(), list(record.get("choices") or [])
    known = {"solution": record["solution"], "subject": str(record["ans_type"]), "level": str(record["grade"])}
    if choices:
        if answer not in choices:
            raise ValueError(f"the answer {answer!r} is none of the choices {choices}")
        return row(problem, LETTERS[choices.index(answer)], CHOICE, options=choices, **known)
    is_number = bool(IS_NUMBER.fullmatch(answer))
    return row(problem, plain_number(answer) if is_number else answer, NUMBER if is_number else TEXT, **known)
