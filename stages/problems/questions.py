"""A benchmark's problem as it is put to a model: the options stand after the question, as in the release.

posed({"problem": "What is 2 + 2?", "options": ["3", "4"], ...}) -> "What is 2 + 2?\\nAnswer Choices: (A) 3 (B) 4"
"""

from stages.core.schemas import Row
from stages.problems.answers import LETTERS


def posed(row: Row) -> str:
    if not row["options"]:
        return str(row["problem"])
    options = " ".join(f"({letter}) {option}" for letter, option in zip(LETTERS, row["options"], strict=False))
    return f"{row['problem']}\nAnswer Choices: {options}"
