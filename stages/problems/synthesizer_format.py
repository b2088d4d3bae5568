"""How problems become training text for a synthesizer: its prompt and its output.

Level, mode and text stand in `prompts/synthesizer.md`; the output is what the teacher was asked to write. The long instructions
of the teacher's prompts are left out: they are the same for every text of a level, so the level's name carries them, and a
prompt is some 200 tokens shorter (the release trains on them verbatim).
"""

import functools
from pathlib import Path

SYNTHESIZER_PROMPT_PATH = Path("prompts/synthesizer.md")


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
    """A problem in the form that the teacher writes and `stages.problems.grammar` reads."""
    return f"[Problem]\n{problem}\n[Solution]\n{solution}\n[End]"
