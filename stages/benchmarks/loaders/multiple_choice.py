"""Loaders of multiple-choice problems: each takes one record as published, and gives a row of the table `benchmarks`.

The problem is the question alone; the options stand beside it, and the answer is an upper-case letter.
"""

import re

from stages.benchmarks.loaders.fields import choice, field, told
from stages.core.schemas import Row
from stages.problems.answers import CHOICE, row

SUBJECT_COLUMNS = ("subject", "type", "category", "task", "subset", "config")

# The 18 subjects that the release counts as STEM: 3,018 test questions.
STEM_SUBJECTS = frozenset(
    "abstract_algebra astronomy college_biology college_chemistry college_computer_science college_mathematics "
    "college_physics computer_security conceptual_physics electrical_engineering elementary_mathematics "
    "high_school_biology high_school_chemistry high_school_computer_science high_school_mathematics "
    "high_school_physics high_school_statistics machine_learning".split()
)


def load_aqua(record: Row) -> Row:
    """AQuA-RAT (Ling et al. 2017, arXiv 1705.04146): 254 test problems.

    {"question": "A car is being driven ...", "options": ["A)5(√3 + 1)", "B)6(√3 + √2)", ...], "rationale": "...",
     "correct": "A"}

    AGIEval's copy: {"query": "Q: A car ... Answer Choices: (A)21 ...", "choices": ["(A)21", ...], "gold": [0]}.
    """
    options, letter = choice(record)
    return row(asked(record), letter, CHOICE, solution=told(record, "rationale", "explanation"), options=options)


def load_sat_math(record: Row) -> Row:
    """SAT-Math, from the official practice test of 2023 (Azerbayev et al. 2023, arXiv 2310.10631): 32 problems.

    {"question": "The graph of the polynomial ...", "options": "A) $f(-6)=0$ B) $f(6)=-6$ ...", "Answer": "A"}

    Two records letter their options "A." instead of "A)". 32 problems decide nothing: the interval's half-width at 50% is 16 points.
    AGIEval's set of the same name (Zhong et al. 2023, arXiv 2304.06364) is another: 220 problems, in the form of its AQuA, or
    {"question": "...", "options": ["(A)4", ...], "label": "A"}.
    """
    options, letter = choice(record, r"(?<!\S){}[).]\s")
    return row(asked(record), letter, CHOICE, solution=told(record, "solution"), options=options)


def asked(record: Row) -> str:
    """The question alone; AGIEval's `query` has the options and the beginning of an answer behind it."""
    text = str(field(record, "question", "problem", "query", "input", "stem"))
    return re.sub(r"\A\s*Q:\s*|\s*Answer Choices:(?:(?!Answer Choices:).)*\Z", "", text, flags=re.DOTALL)


def load_mathqa(record: Row) -> Row:
    """MathQA (Amini et al. 2019, arXiv 1905.13319): 2,985 test problems, of which harnesses often draw 1,000.

    {"problem": "the compound ratio of 5 : 6 , ...", "options": "a ) 1 : 1 , b ) 1 : 87 , ...", "correct": "d",
     "rationale": "...", "category" or "type": "other"}

    Some records print their options as a Python list: "['a ) 462 cm', 'b ) 530 cm', ...]". The hub's copy writes `Problem` and
    `Rationale`.
    """
    lower = {**record, "options": given.lower()} if isinstance(given := record.get("options"), str) else record
    options, letter = choice(lower, r"(?<!\w)(?i:{}) \) ")
    return row(
        field(record, "problem", "question"), letter, CHOICE, solution=told(record, "rationale"),
        subject=told(record, *("category", "type", "config")), options=options,
    )  # fmt: skip


def load_mmlu_stem(record: Row) -> Row | None:
    """MMLU (Hendrycks et al. 2020, arXiv 2009.03300), 18 STEM subjects: 3,018 test questions; others are passed over.

    {"question": "A frameshift mutation is created when", "type" or "subject": "college_biology",
     "choices": ["telomeric sequences ...", ...], "answer": 2}

    A copy with a config for each subject needs no column of it.
    """
    subject = re.sub(r"[\s-]+", "_", str(field(record, *SUBJECT_COLUMNS)).strip().lower()).removeprefix("mmlu_")
    if subject not in STEM_SUBJECTS:
        return None
    options, letter = choice(record)
    return row(field(record, "question", "input", "problem"), letter, CHOICE, subject=subject, options=options)
