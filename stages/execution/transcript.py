"""Programs in a transcript: the one that a text ends with, and the block that shows what it really printed.

last_program("```python\\nprint(6 * 7)\\n```\\n")  -> "print(6 * 7)"
output_block(execution)  -> "```output\\n42\\n```\\n"
"""

import re

from stages.execution.sandbox import Execution

OUTPUT_FENCE = "```output"
MAX_OUTPUT_CHARS = 400  # as in the release's tool loop
PROGRAM_BLOCK = re.compile(r"```python\n.*?(?:\n```|\Z)", re.DOTALL)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LAST_PROGRAM = re.compile(r"```python\n(.*?)\n```\s*$", re.DOTALL)


def last_program(text: str) -> str | None:
    """The program that the text ends with, or None."""
    found = LAST_PROGRAM.search(text)
    return found.group(1) if found else None


def prose(text: str) -> str:
    """The text without its programs: an answer that stands in a program's source was not given."""
    return PROGRAM_BLOCK.sub("", text)


def output_block(execution: Execution) -> str:
    """What a program printed, or why it did not, as a block that it can neither close nor put an answer into."""
    shown = execution.stdout if execution.status == "ok" else f"{execution.status}: {execution.stderr}"
    return f"{OUTPUT_FENCE}\n{tame_output(shown)}\n```\n"


def tame_output(output: str) -> str:
    """A program's output without backquotes, boxes and control codes; at most about 400 characters, its middle left out."""
    output = CONTROL.sub("", output).strip().replace("`", "'").replace("\\boxed", "boxed")
    half = MAX_OUTPUT_CHARS // 2
    return output if len(output) <= MAX_OUTPUT_CHARS else f"{output[:half]}...{output[-half:]}"
