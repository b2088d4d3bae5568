"""Worked examples before a prompt: earlier turns of the chat, in which a text was asked about and answered in the form that is asked for.

example_turns("cot", "tags", 1)
-> [{"role": "user", "content": "You write ..."}, {"role": "assistant", "content": "[Problem]\\nMaria sells ..."}]
"""

import json
from typing import Any

from stages.problems.example_problems import example_problems
from stages.problems.json_schema import FIELDS, Form
from stages.problems.prompts import fill_prompt


def example_turns(mode: str, form: Form, count: int) -> list[dict[str, str]]:
    """The turns of the first `count` examples of a mode, at most `MAX_EXAMPLES`."""
    return [
        {"role": role, "content": content}
        for example in example_problems(mode)[:count]
        for role, content in (
            ("user", fill_prompt(example["level"], mode, example["text"], form)), ("assistant", answer_of(example, form)),
        )
    ]  # fmt: skip


def answer_of(example: dict[str, Any], form: Form) -> str:
    """An example as a teacher would answer in a form."""
    if form == "bounded_json":
        fields = ("problem", "steps" if "steps" in example else "program", "output", "answer")
        return json.dumps({name: example[name] for name in fields if name in example})
    texts = _texts(example)
    if form == "json":
        return json.dumps({name: texts[name] for name in FIELDS[example["mode"]]})
    return f"[Problem]\n{texts['problem']}\n[Solution]\n{texts['solution']}\n[End]"


def _texts(example: dict[str, Any]) -> dict[str, str]:
    """The fields of an example as texts; `solution` is whole, with its box."""
    closing = f"The answer is \\boxed{{{example['answer']}}}."
    program = "\n".join(example.get("program", ()))
    working = "\n".join(example["steps"]) if "steps" in example else f"```python\n{program}\n```\n```output\n{example['output']}\n```"  # fmt: skip
    return {**example, "program": program, "solution": f"{working}\n{closing}"}
