"""The problems of the worked examples, as `prompts/examples.json` holds them.

is_example("Maria sells ...", "cot") -> True
"""

import functools
import json
from pathlib import Path
from typing import Any

EXAMPLES = Path("prompts/examples.json")
MAX_EXAMPLES = 2  # of each mode


@functools.cache
def example_problems(mode: str) -> list[dict[str, Any]]:
    return [example for example in json.loads(EXAMPLES.read_text(encoding="utf-8")) if example["mode"] == mode]


def is_example(problem: str, mode: str) -> bool:
    """Whether a problem is that of an example, which small models repeat."""
    return any(problem.split() == example["problem"].split() for example in example_problems(mode))
