r"""Fences of code blocks: one around all, and those of a program and its output under other names.

program_fences("```py\nprint(7)\n```\n```\n7\n```")  -> ("```python\nprint(7)\n```\n```output\n7\n```", {"program_fence", "output_fence"})
"""

import re
from dataclasses import dataclass

OPENING = re.compile(r"[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<label>[^`]*?)[ \t]*")
PYTHON = re.compile(r"\{?[ .]*(?:python|py|ipython|sage)\d?(?:\.\d+)?\b[^`]*", re.IGNORECASE)
OUTPUT = re.compile(r"\{?[ .]*(?:outputs?|out|stdout|results?)\b[^`]*", re.IGNORECASE)
PLAIN = re.compile(r"(?:te?xt|plain ?text|console|terminal|bash|shell|sh)?", re.IGNORECASE)
LABEL_LINE = re.compile(r"[\s*_#]*(?:the |program )?(?:outputs?|results?|prints?)?[\s*_:]*", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """A code block: the numbers of its first and last line, and its label."""

    first: int
    last: int
    label: str


def without_outer_fence(text: str) -> str:
    """The text without a fence around all of it."""
    lines = text.strip().split("\n")
    opening = OPENING.fullmatch(lines[0])
    if len(lines) < 3 or not opening or PYTHON.fullmatch(opening["label"]) or OUTPUT.fullmatch(opening["label"]):
        return text
    if lines[-1].strip() != opening["mark"] or code_blocks(lines[1:-1]) is None:
        return text
    return "\n".join(lines[1:-1]).strip()


def code_blocks(lines: list[str]) -> list[Block] | None:
    """The code blocks of some lines; None where one is not closed."""
    blocks, first, mark, label = [], -1, "", ""
    for number, line in enumerate(lines):
        found = OPENING.fullmatch(line)
        if not found:
            continue
        if not mark:
            first, mark, label = number, found["mark"], found["label"]
        elif found["mark"].startswith(mark) and not found["label"]:
            blocks.append(Block(first, number, label))
            mark = ""
    return None if mark else blocks


def program_fences(text: str) -> tuple[str, set[str]]:
    """One program's fence and its output's under the grammar's names; an output without a name follows the program at once."""
    lines = text.split("\n")
    blocks = code_blocks(lines)
    programs = [block for block in blocks or [] if PYTHON.fullmatch(block.label)]
    if not blocks or len(programs) != 1:
        return text, set()
    program, outputs = programs[0], [block for block in blocks if OUTPUT.fullmatch(block.label)]
    if not outputs:
        outputs = [block for block in blocks if PLAIN.fullmatch(block.label) and _follows(lines, program, block)]
    named = {
        "program_fence": (program, "python"),
        **({"output_fence": (outputs[0], "output")} if len(outputs) == 1 else {}),
    }
    repairs = set()
    for repair, (block, label) in named.items():
        fences = f"```{label}", "```"
        repairs |= {repair} if (lines[block.first], lines[block.last]) != fences else set()
        lines[block.first], lines[block.last] = fences
    return "\n".join(lines), repairs


def _follows(lines: list[str], program: Block, block: Block) -> bool:
    """Whether nothing but a label such as "Output:" stands between a program and a block."""
    return block.first > program.last and bool(LABEL_LINE.fullmatch(" ".join(lines[program.last + 1 : block.first])))
