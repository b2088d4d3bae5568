"""Loaders of problems whose answer is an expression: each takes one record as published, and gives a row of `benchmarks`."""

from stages.benchmarks.loaders.fields import field, told
from stages.core.schemas import Row
from stages.grading.boxes import last_boxes
from stages.problems.answers import EXPRESSION, row


def load_math(record: Row) -> Row:
    r"""MATH (Hendrycks et al. 2021, arXiv 2103.03874): 5,000 test, 7,500 training problems; MATH-500 is 500 of the test.

        {"problem": "Let $a$ ...", "solution": "... $\boxed{6}$", "level": "Level 5" or 5, "type" or "subject": "Algebra",
         "answer": "6" (MATH-500 alone)}

    The last box of the solution is the answer. `math-oai` in the release's files is MATH-500, `minerva_math` is OCW. A copy with a
    config for each subject (algebra ... precalculus) is one benchmark: `config: [algebra, ...]` of its YAML file.
    """
    solution = told(record, "solution", "rationale")
    answer = told(record, "answer", "final_answer", "expected_answer")
    if not answer.strip():
        answer = last_boxes(str(field(record, "solution", "rationale")))
    if not answer.strip():
        raise ValueError("no answer and no \\boxed{} in the solution")
    return row(
        field(record, "problem", "question"), answer, EXPRESSION, solution=solution,
        subject=told(record, "subject", "type", "config"), level=told(record, "level"),
    )  # fmt: skip


def load_ocw(record: Row) -> Row:
    r"""OCWCourses, Minerva's 272 problems of MIT courses (Lewkowycz et al. 2022, arXiv 2206.14858).

        {"problem": "Each of the two Magellan telescopes ...", "solution": "... \boxed{1.6} \mathrm{~cm}",
         "type": "Introduction to Astronomy (8.282J Spring 2006)"}

    Called `minerva_math` in the release; in lm-eval that name means MATH. The hub's `minervamath` has {"question", "answer"} alone.
    """
    return load_math(record)


def load_carp(record: Row) -> Row:
    """CARP, English part (Zhang et al. 2023, arXiv 2306.02408): 976 test problems of middle-school algebra.

    {"content": "Calculate $( 3 a - b ) ( - 3 a - b )$ equals to ____?", "answer": "b ^ { 2 } - 9 a ^ { 2 }",
     "steps": "$- b$ is the same term ..."}
    """
    return row(
        field(record, "content", "problem", "question"), str(field(record, "answer")), EXPRESSION,
        solution=told(record, "steps", "solution"), subject="algebra",
    )  # fmt: skip
