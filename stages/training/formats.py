"""How problems become training text: the student's and the synthesizer's prompts and outputs.

Student (the release's format, [R:data/*_sampled.jsonl] of the official repository):

    ## Question\\nTom has 3 apples ...\\n\\n## Solution\\n        -> 3 + 4 = 7\\nThe answer is \\boxed{7}.
    ## Question\\nTom has 3 apples ...\\n\\n## Code Solution\\n   -> ```python ... ```, ```output ... ```, boxed answer

Synthesizer: level, mode and text in `prompts/synthesizer.md`; its output is what the teacher was asked to write.
The long instructions of the teacher's prompts are left out: they are the same for every text of a level, so the
level's name carries them, and a prompt is some 200 tokens shorter (the release trains on them verbatim).
"""

import functools
from dataclasses import dataclass
from pathlib import Path

COT, TOOL = "cot", "tool"
MODES = (COT, TOOL)
QUESTION_HEADER, SOLUTION_HEADERS = "## Question\n", {COT: "## Solution\n", TOOL: "## Code Solution\n"}
SYNTHESIZER_PROMPT_PATH = Path("prompts/synthesizer.md")


@dataclass(frozen=True)
class Example:
    """One training record: loss falls on `output` only; an end-of-text token is appended to it."""

    prompt: str
    output: str


def student_prompt(problem: str, mode: str) -> str:
    return f"{QUESTION_HEADER}{problem}\n\n{SOLUTION_HEADERS[mode]}"


def student_example(problem: str, solution: str, mode: str) -> Example:
    return Example(student_prompt(problem, mode), solution)


@functools.cache
def _synthesizer_template() -> str:
    return SYNTHESIZER_PROMPT_PATH.read_text(encoding="utf-8")


def synthesizer_prompt(level: str, mode: str, text: str) -> str:
    """Level, mode and text in the template's slots; the text's own headers are made harmless."""
    slots = {"{level}": level, "{mode}": mode}
    template = _synthesizer_template()
    for slot, value in slots.items():
        template = template.replace(slot, value)
    return template.replace("{text}", text.replace("## ", "# "))


def synthesizer_output(problem: str, solution: str) -> str:
    """A problem in the form that the teacher writes and `stages.distillation.parsing` reads."""
    return f"[Problem]\n{problem}\n[Solution]\n{solution}\n[End]"
