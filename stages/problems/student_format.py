"""How problems become training text for a student: its prompts, and the records that are learnt.

The form (that of data/*_sampled.jsonl in github.com/RUCAIBox/JiuZhang3.0):

    ## Question\\nTom has 3 apples ...\\n\\n## Solution\\n        -> 3 + 4 = 7\\nThe answer is \\boxed{7}.
    ## Question\\nTom has 3 apples ...\\n\\n## Code Solution\\n   -> ```python ... ```, ```output ... ```, boxed answer
"""

from dataclasses import dataclass

COT, TOOL = "cot", "tool"
MODES = (COT, TOOL)
QUESTION_HEADER, SOLUTION_HEADERS = "## Question\n", {COT: "## Solution\n", TOOL: "## Code Solution\n"}


@dataclass(frozen=True)
class Example:
    """One training record: loss falls on `output` only; an end-of-text token is appended to it."""

    prompt: str
    output: str


def student_prompt(problem: str, mode: str) -> str:
    return f"{QUESTION_HEADER}{problem}\n\n{SOLUTION_HEADERS[mode]}"


def student_example(problem: str, solution: str, mode: str) -> Example:
    return Example(student_prompt(problem, mode), solution)
