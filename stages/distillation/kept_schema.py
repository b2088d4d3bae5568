"""Whether a server keeps the schema that it was given: one that ignores it tells so by its answers alone.

    watch = SchemaWatch("local", num_requests=500)
    watch.note(request.sampling, answer.completion, "stop")   # says once that the first answers are none of the schema

vLLM ignores fields that it does not know, llama.cpp a grammar that it cannot read. Such answers are paid, and read as far as they can be.
"""

import json
from typing import Any

from stages.core.command import say
from stages.distillation.model_table import WITHOUT_SCHEMA, asked_schema, load_takes
from stages.problems.thoughts import without_thoughts

NUM_LOOKED_AT = 10  # answers before it is told


class SchemaWatch:
    """Counts the first whole answers to one model's requests that were asked to keep a schema, or to be a JSON object."""

    def __init__(self, model: str, num_requests: int) -> None:
        self.model, self.num_needed = model, min(NUM_LOOKED_AT, num_requests)
        self.num_whole = self.num_broken = 0

    def note(self, sampling: dict[str, Any], completion: str, finish_reason: str) -> None:
        asked = sampling.get("response_format", WITHOUT_SCHEMA["none"])
        if finish_reason != "stop" or asked == WITHOUT_SCHEMA["none"] or self.num_whole >= self.num_needed:
            return
        self.num_whole += 1
        self.num_broken += not is_kept(completion, sampling)
        if self.num_whole == self.num_needed and 2 * self.num_broken > self.num_whole:
            change = load_takes(self.model).line_to_change(self.model)
            say(f"distill: {self.num_broken} of the first {self.num_whole} answers of {self.model} do not follow the requested "
                f"schema: the server ignores it. They are parsed as far as possible. To change the request, {change}: another "
                "response_format, such as none")  # fmt: skip


def is_kept(completion: str, sampling: dict[str, Any]) -> bool:
    """Whether a completion is a JSON object with the members that its schema requires; thoughts before it do not count."""
    try:
        value = json.loads(without_thoughts(completion))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.keys() >= set(asked_schema(sampling).get("required", ()))
