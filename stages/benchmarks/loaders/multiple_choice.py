"""Loaders of multiple-choice problems: each takes one record as published, and gives a row of the table `benchmarks`.

The problem is the question alone; the options stand beside it, and the answer is an upper-case letter.
"""

import ast

from stages.core.schemas import Row
from stages.problems.answers import CHOICE, LETTERS, letter_of, row, split_options, without_letters

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
    """
    options = without_letters(list(record["options"]))
    return row(
        record["question"], letter_of(record["correct"], options), CHOICE, solution=record["rationale"], options=options
    )


def load_sat_math(record: Row) -> Row:
    """SAT-Math, from the official practice test of 2023 (Azerbayev et al. 2023, arXiv 2310.10631): 32 problems.

    {"question": "The graph of the polynomial ...", "options": "A) $f(-6)=0$ B) $f(6)=-6$ ...", "Answer": "A"}

    Two records letter their options "A." instead of "A)". 32 problems decide nothing: the interval's half-width at 50% is 16 points.
    """
    options = split_options(record["options"], r"(?<!\S){}[).]\s")
    return row(record["question"], letter_of(record["Answer"], options), CHOICE, options=options)


def load_mathqa(record: Row) -> Row:
    """MathQA (Amini et al. 2019, arXiv 1905.13319): 2,985 test problems, of which harnesses often draw 1,000.

    {"problem": "the compound ratio of 5 : 6 , ...", "options": "a ) 1 : 1 , b ) 1 : 87 , ...", "correct": "d",
     "rationale": "...", "category" or "type": "other"}

    Some records print their options as a Python list: "['a ) 462 cm', 'b ) 530 cm', ...]".
    """
    options = _options(record["options"])
    return row(
        record["problem"], letter_of(record["correct"], options), CHOICE, solution=record["rationale"],
        subject=str(record.get("category") or record.get("type") or ""), options=options,
    )  # fmt: skip


def _options(text: str) -> list[str]:
    text = text.lower().strip()
    if text.startswith("["):
        return without_letters([str(option) for option in ast.literal_eval(text)])
    return split_options(text, r"(?<!\w)(?i:{}) \) ")


def load_mmlu_stem(record: Row) -> Row | None:
    """MMLU (Hendrycks et al. 2020, arXiv 2009.03300), 18 STEM subjects: 3,018 test questions; others are passed over.

    {"question": "A frameshift mutation is created when", "type" or "subject": "college_biology",
     "choices": ["telomeric sequences ...", ...], "answer": 2}
    """
    subject = record.get("subject") or record["type"]
    if subject not in STEM_SUBJECTS:
        return None
    options = [str(choice) for choice in record["choices"]]
    answer = record["answer"]
    letter = LETTERS[answer] if isinstance(answer, int) and 0 <= answer < len(LETTERS) else str(answer)
    return row(record["question"], letter_of(letter, options), CHOICE, subject=subject, options=options)
