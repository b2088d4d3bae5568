"""The built-in teacher: a rule-based writer of problems. It is no language model.

It is given what a real teacher is given, the messages of a request, and reads the text in them: topic words choose
a family of the asked level, names, things and quantities fill it. The answer is computed. The same request gets
the same completion. It refuses a text that gives it nothing to go by.
"""

import random
import re

from stages.core.tables import seed_of
from stages.distillation.families.family import Family, write_problem
from stages.distillation.families.registry import families_of
from stages.distillation.families.words import quantities_in, words_in
from stages.distillation.levels import words_of
from stages.distillation.parsing import REFUSAL
from stages.distillation.purchase import Answer, Request

MODEL = "ninechapters-builtin-1"
MIN_WORDS = 5
TEXT_SLOT = re.compile(r"^-{8,}\n(.*?)\n-{8,}$", re.DOTALL | re.MULTILINE)
LEVEL = re.compile(r'at the level "(\w+)"')


def ask_builtin(request: Request) -> Answer:
    """The teacher's answer to one request; free, so it needs no ledger."""
    prompt = request.messages[-1]["content"]
    completion = write_completion(request.key, prompt)
    return Answer(completion, "stop", MODEL, count_tokens(prompt), count_tokens(completion))


def write_completion(request_id: str, prompt: str) -> str:
    slot, level = TEXT_SLOT.search(prompt), LEVEL.search(prompt)
    if not slot or not level:
        return f"{REFUSAL} The request has no text between two lines of dashes, or names no level."
    text, mode = slot.group(1), "tool" if "```python" in prompt else "cot"
    words = words_of(text)
    if len(words) < MIN_WORDS:
        return f"{REFUSAL} The text has only {len(words)} words."
    fitting = fitting_families(words, level.group(1))
    if not fitting:
        return f"{REFUSAL} Nothing in the text calls for a problem of the level {level.group(1)}."
    rng = random.Random(seed_of("builtin-teacher", request_id))
    written = write_problem(rng.choice(fitting), rng, words_in(text, rng), False, quantities_in(text))
    return f"[Problem]\n{written.problem}\n[Solution]\n{written.solution(mode)}\n[End]"


def fitting_families(words: list[str], level: str) -> list[Family]:
    """The families of the level with the most topic words in the text; none if no family has any."""
    scored = [(sum(word in family.topics.split() for word in words), family) for family in families_of(level)]
    best = max((score for score, _ in scored), default=0)
    return [family for score, family in scored if score == best] if best else []


def count_tokens(text: str) -> int:
    """Tokens as this teacher counts them: words, single digits, and signs."""
    return len(re.findall(r"[A-Za-z]+|\d|[^\sA-Za-z\d]", text))
