"""Target problems as training text: for fine-tuning, and for the gradients that value estimation aims at."""

from stages.core.schemas import Row
from stages.problems.questions import posed
from stages.problems.student_format import COT, Example, student_example


def target_example(row: Row) -> Example:
    """A target problem with its own solution, closed by the boxed answer where the solution has none."""
    solution = row["solution"]
    if "\\boxed" not in solution:
        solution = f"{solution}\nThe answer is \\boxed{{{row['answer']}}}."
    return student_example(posed(row), solution, COT)
