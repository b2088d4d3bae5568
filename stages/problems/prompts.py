"""The prompts: eight natural-language levels and two tool levels, as files under `prompts/`, and their slots.

The levels are the paper's (eight prompts in its release, two tool prompts in its figure); the wording
is ours.
"""

import functools
import re
from pathlib import Path

from stages.core.command import StageError
from stages.problems.json_schema import Form
from stages.problems.level_names import LEVELS

PROMPTS = Path("prompts")
TOOL_PROMPTS = {level: "tool_grade" if level in ("grade", "middle", "amc8") else "tool_secondary" for level in LEVELS}
FENCE = "-" * 8
FORM = "Answer in exactly this form"  # begins the last part of each prompt


def fill_prompt(level: str, mode: str, text: str, form: Form = "tags") -> str:
    """The prompt of a level and mode with the text in its slot; the text cannot end its own slot.

    The answer is asked for in the grammar's form, or as JSON, which `form_json.md` and the files beside it describe.
    """
    template = _template(TOOL_PROMPTS[level] if mode == "tool" else level)
    if form != "tags":
        asked = template[: template.index(FORM)]
        asked = "".join(line for line in asked.splitlines(keepends=True) if form == "json" or "\\boxed" not in line)
        template = asked + _template(f"form_{form}{'_tool' if mode == 'tool' else ''}")
    return template.replace("{level}", level).replace("{text}", tame(text))


def tame(text: str) -> str:
    """Break whatever in a text could be read as the border of its slot or as an answer's tag."""
    text = re.sub(f"-{{{len(FENCE)},}}", "---", text)
    return re.sub(r"\[(Problem|Solution|End)\]", r"(\1)", text, flags=re.IGNORECASE)


@functools.cache
def _template(name: str) -> str:
    path = PROMPTS / f"{name}.md"
    if not path.is_file():
        raise StageError(f"{path} is missing. Restore it (`git checkout {path}`): it is the prompt of a level.")
    return path.read_text(encoding="utf-8")
